/** How `adjust` compares configured with running options (drbdadm.md 11.2). */
import { type OptionList, type OptionSetting } from '../config/model';
import { findOption, type OptionContext } from '../options/catalogue';
import { isDefaultText, sameValue } from '../options/value';

export interface OptionDifference {
  readonly name: string;
  readonly running: string | undefined;
  readonly configured: string | undefined;
}

function byName(options: OptionList, name: string): OptionSetting | undefined {
  return options.find((option) => option.name === name);
}

function equal(context: OptionContext, running: OptionSetting, configured: OptionSetting): boolean {
  const spec = findOption(context, running.name);
  return spec === undefined
    ? running.value === configured.value
    : sameValue(spec, running.value, configured.value);
}

function isDefault(context: OptionContext, option: OptionSetting): boolean {
  const spec = findOption(context, option.name);
  return spec !== undefined && isDefaultText(spec, option.value);
}

/**
 * Options whose running and configured values differ; an option that one side does not have stands for its
 * default, and one that the kernel reports as unknown is left out.
 */
export function differingOptions(
  context: OptionContext,
  running: OptionList,
  configured: OptionList,
): readonly OptionDifference[] {
  const differences: OptionDifference[] = [];
  for (const option of running.filter((candidate) => !candidate.unknown)) {
    const wanted = byName(configured, option.name);
    const same = wanted === undefined ? isDefault(context, option) : equal(context, option, wanted);
    if (!same) differences.push({ name: option.name, running: option.value, configured: wanted?.value });
  }
  const known = new Set(running.map((option) => option.name));
  for (const option of configured) {
    if (!known.has(option.name) && !isDefault(context, option))
      differences.push({ name: option.name, running: undefined, configured: option.value });
  }
  return differences;
}

/** True if nothing has to be changed. */
export function sameOptions(context: OptionContext, running: OptionList, configured: OptionList): boolean {
  return differingOptions(context, running, configured).length === 0;
}
