import fs from 'node:fs';
import path from 'node:path';
import Ajv from 'ajv';
import {
  allOptions,
  drbdsetupCommand,
  drbdsetupCommandNames,
  findOption,
  nameInId,
  optionById,
  optionsInContext,
  optionsInSection,
} from '../../src/options/catalogue';

const root = path.join(__dirname, '../..');
const read = (name: string): string => fs.readFileSync(path.join(root, name), 'utf8');

describe('grammar/options.json', () => {
  it('obeys its JSON Schema', () => {
    const validate = new Ajv({ allErrors: true, allowUnionTypes: true }).compile(
      JSON.parse(read('grammar/options.schema.json')),
    );
    validate(JSON.parse(read('grammar/options.json')));
    expect(validate.errors).toBeNull();
  });

  it('has unique ids and only known ids in its contexts', () => {
    const document: { contexts: Record<string, string[]>; options: unknown[] } = JSON.parse(
      read('grammar/options.json'),
    );
    expect(allOptions()).toHaveLength(document.options.length);
    for (const { id, name } of allOptions()) expect(nameInId(id)).toBe(name);
    for (const ids of Object.values(document.contexts)) for (const id of ids) optionById(id);
  });

  it('lists for every drbdsetup command only options that name that command', () => {
    expect(drbdsetupCommandNames()).toHaveLength(48);
    for (const name of drbdsetupCommandNames()) expect(drbdsetupCommand(name)?.name).toBe(name);
  });

  it('gives option-values.ts, exactly', () => {
    const {
      generate,
    }: { generate(document: unknown): string } = require('../../scripts/generate-option-types.cjs');
    const text = generate(JSON.parse(read('grammar/options.json')));
    const file = read('src/options/option-values.ts');
    // only prettier's line breaks may differ
    const plain = (source: string): string => source.replace(/\s+/g, '').replace(/([=:])\|/g, '$1');
    expect(plain(file)).toBe(plain(text));
  });
});

describe('lookups', () => {
  it('finds options by context, section and command', () => {
    expect(findOption('show_net_options', 'protocol')?.id).toBe('net.protocol');
    expect(findOption('show_net_options', 'al-extents')).toBeUndefined();
    expect(optionsInContext('device_options').map((option) => option.name)).toEqual([
      'max-bio-size',
      'diskless',
      'block-size',
      'discard-granularity',
    ]);
    expect(optionsInSection('handlers')).toHaveLength(15);
    expect(drbdsetupCommand('new-path')?.options).toEqual([]);
    expect(drbdsetupCommand('no-such-command')).toBeUndefined();
  });
});
