// What chevrotain uses of lodash, for plain arrays and objects: lodash's own takes a third of the parser's start-up.
const isArrayLike = (value) =>
  Array.isArray(value) || typeof value === 'string' || (value != null && Object(value).length >= 0);
const own = (value) => (value == null ? [] : Object.keys(value));

/** A function, the name of a property, or the properties that an element must have. */
function toFunction(iteratee) {
  if (iteratee === undefined || iteratee === null) return identity;
  if (typeof iteratee === 'function') return iteratee;
  if (typeof iteratee === 'object')
    return (item) => own(iteratee).every((key) => item != null && item[key] === iteratee[key]);
  return (item) => (item == null ? undefined : item[iteratee]);
}

export const identity = (value) => value;
export const noop = () => undefined;
export const { isArray } = Array;
export const isString = (value) => typeof value === 'string';
export const isFunction = (value) => typeof value === 'function';
export const isUndefined = (value) => value === undefined;
export const isRegExp = (value) => value instanceof RegExp;
export const isObject = (value) =>
  value !== null && (typeof value === 'object' || typeof value === 'function');
export const keys = own;
export const values = (value) => (Array.isArray(value) ? value : own(value).map((key) => value[key]));
export const has = (object, key) => object != null && Object.prototype.hasOwnProperty.call(object, key);
export const assign = Object.assign;

export function isEmpty(value) {
  if (value == null) return true;
  if (Array.isArray(value) || typeof value === 'string') return value.length === 0;
  if (value instanceof Map || value instanceof Set) return value.size === 0;
  return own(value).length === 0;
}

/** Ends early when the function returns false. */
export function forEach(collection, iteratee) {
  if (collection == null) return collection;
  if (isArrayLike(collection)) {
    for (let i = 0; i < collection.length; i++) if (iteratee(collection[i], i, collection) === false) break;
  } else {
    for (const key of own(collection)) if (iteratee(collection[key], key, collection) === false) break;
  }
  return collection;
}

export function map(collection, iteratee) {
  const convert = toFunction(iteratee);
  const result = [];
  forEach(collection, (item, key) => void result.push(convert(item, key, collection)));
  return result;
}

export function filter(collection, predicate) {
  const test = toFunction(predicate);
  const result = [];
  forEach(collection, (item, key) => {
    if (test(item, key, collection)) result.push(item);
  });
  return result;
}

export function reject(collection, predicate) {
  const test = toFunction(predicate);
  return filter(collection, (item, key) => !test(item, key, collection));
}

export function find(collection, predicate) {
  const test = toFunction(predicate);
  let found;
  forEach(collection, (item, key) => {
    if (!test(item, key, collection)) return true;
    found = item;
    return false;
  });
  return found;
}

export function some(collection, predicate) {
  const test = toFunction(predicate);
  let result = false;
  forEach(collection, (item, key) => !(result = Boolean(test(item, key, collection))));
  return result;
}

export function every(collection, predicate) {
  const test = toFunction(predicate);
  let result = true;
  forEach(collection, (item, key) => (result = Boolean(test(item, key, collection))));
  return result;
}

export function reduce(collection, combine, ...initial) {
  let [result] = initial;
  let started = initial.length > 0;
  forEach(collection, (item, key) => {
    result = started ? combine(result, item, key, collection) : item;
    started = true;
  });
  return result;
}

export const flatten = (array) => (array == null ? [] : [].concat(...array));
export const flatMap = (collection, iteratee) => flatten(map(collection, iteratee));
export const includes = (collection, value) =>
  typeof collection === 'string' ? collection.includes(value) : values(collection).includes(value);
export const indexOf = (array, value, from) => (array == null ? -1 : array.indexOf(value, from));
export const compact = (array) => (array == null ? [] : array.filter(Boolean));
export const uniq = (array) => (array == null ? [] : [...new Set(array)]);
export const first = (array) => (array == null ? undefined : array[0]);
export const last = (array) => (array == null ? undefined : array[array.length - 1]);
export const drop = (array, count = 1) => (array == null ? [] : array.slice(count));
export const dropRight = (array, count = 1) =>
  array == null ? [] : array.slice(0, Math.max(0, array.length - count));

export function difference(array, ...others) {
  const without = new Set(flatten(others));
  return (array ?? []).filter((item) => !without.has(item));
}

export function clone(value) {
  if (Array.isArray(value)) return value.slice();
  if (value === null || typeof value !== 'object') return value;
  return Object.assign(Object.create(Object.getPrototypeOf(value)), value);
}

export function pickBy(object, predicate) {
  const result = {};
  for (const key of own(object)) if (predicate(object[key], key)) result[key] = object[key];
  return result;
}

export function groupBy(collection, iteratee) {
  const group = toFunction(iteratee);
  const result = {};
  forEach(collection, (item) => void (result[group(item)] ??= []).push(item));
  return result;
}

export function defaults(object, ...sources) {
  for (const source of sources)
    for (const key of own(source)) if (object[key] === undefined) object[key] = source[key];
  return object;
}

export const upperFirst = (text) => text.charAt(0).toUpperCase() + text.slice(1);
