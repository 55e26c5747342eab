'use strict';
// Writes src/options/option-values.ts from grammar/options.json, so that an option is added in one place.
const fs = require('node:fs');
const path = require('node:path');
const root = path.dirname(__dirname);

const interfaces = {
  ResourceOptions: 'resource_options',
  NetOptions: 'show_net_options',
  DiskOptions: 'attach',
  DeviceOptions: 'device_options',
  PeerDeviceOptions: 'peer_device_options',
};

const quote = (text) => `'${text}'`;
const key = (name) => (/^[A-Za-z_]\w*$/.test(name) ? name : quote(name));

function typeOf(option) {
  switch (option.kind) {
    case 'boolean':
    case 'flag':
      return 'boolean';
    case 'number':
      return 'number';
    case 'string':
    case 'key-description':
      return 'string';
    case 'enum':
      return option.values.map(quote).join(' | ');
    case 'number-or-symbol':
      return ['number', ...option.symbols.map(quote)].join(' | ');
    default:
      throw new Error(`${option.id}: kind ${option.kind} has no value`);
  }
}

function defaultOf(option) {
  switch (option.kind) {
    case 'boolean':
    case 'flag':
      return String(option.default === 'yes');
    case 'number':
      return String(option.default);
    case 'key-description':
      return quote('');
    default:
      return quote(option.default);
  }
}

function remark(option) {
  if (option.kind !== 'number' && option.kind !== 'number-or-symbol') return [];
  const units = { k: 'KiB', s: 'sectors of 512 bytes' };
  const unit = units[option.scale] ?? option.unit ?? undefined;
  return [`  /** ${option.min}..${option.max}${unit === undefined ? '' : `, in ${unit}`} */`];
}

function generate(document) {
  const byId = new Map(document.options.map((option) => [option.id, option]));
  const lines = [
    '// Generated from grammar/options.json by scripts/generate-option-types.cjs; do not edit.',
    '// An absent key means "not given"; numbers are in the unit of the option. For key descriptions the empty',
    '// text means unset.',
  ];
  for (const [name, context] of Object.entries(interfaces)) {
    const options = document.contexts[context].map((id) => byId.get(id));
    const constant = name.replace(
      /^(.)(.*)Options$/,
      (_, first, rest) => `${first.toLowerCase()}${rest}Defaults`,
    );
    lines.push('', `export interface ${name} {`);
    for (const option of options)
      lines.push(...remark(option), `  readonly ${key(option.name)}?: ${typeOf(option)};`);
    lines.push('}', '', `export const ${constant}: Required<${name}> = {`);
    for (const option of options) lines.push(`  ${key(option.name)}: ${defaultOf(option)},`);
    lines.push('};');
  }
  return `${lines.join('\n')}\n`;
}

module.exports = { generate };
if (require.main === module) {
  const document = JSON.parse(fs.readFileSync(path.join(root, 'grammar/options.json'), 'utf8'));
  fs.writeFileSync(path.join(root, 'src/options/option-values.ts'), generate(document));
}
