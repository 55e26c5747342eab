import { findCommand } from '../../src/drbdsetup/command-table';
import { commandHelp, usageText } from '../../src/drbdsetup/help-text';
import { commandXml } from '../../src/drbdsetup/help-xml';
import { drbdsetupCommandNames } from '../../src/options/catalogue';
import { fixture } from './golden-state';

describe('help', () => {
  it('is the usage of the real tool', () => {
    expect(usageText('drbdsetup', 80)).toBe(fixture('usage.txt'));
  });

  it('is the real one for every command, as text and as XML', () => {
    const texts = fixture('help-all.txt').split('-----\n').slice(0, -1);
    const xml = fixture('xml-help-all.txt').split(/(?<=<\/command>\n)/);
    expect([texts.length, xml.length]).toEqual([48, 48]);
    for (const [index, name] of drbdsetupCommandNames().entries()) {
      const command = findCommand(name);
      if (command === undefined) throw new Error(name);
      expect(commandHelp(command, 'drbdsetup', 80)).toBe(texts[index]);
      expect(commandXml(command)).toBe(xml[index]);
    }
    process.stderr.write(`compared help and XML of ${drbdsetupCommandNames().length} commands\n`);
  });
});
