/** `explain RES [OPTION]`: what is in effect on this host, and where it was written. */
import { type OptionList, type OptionSetting, type Resource } from '../config/model';

interface Scope {
  readonly name: string;
  readonly options: OptionList;
}

function scopes(resource: Resource): readonly Scope[] {
  const { options } = resource;
  const base: Scope[] = [
    { name: 'options', options: options.resource },
    { name: 'startup', options: options.startup },
    { name: 'handlers', options: options.handlers },
  ];
  const volumes = (resource.me?.volumes ?? []).map((volume) => ({
    name: `volume ${volume.vnr} disk`,
    options: [...volume.diskOptions, ...volume.deviceOptions],
  }));
  const connections = resource.connections
    .filter((connection) => !connection.ignore)
    .flatMap((connection) => {
      const peer = connection.name ?? connection.peer?.names.join('_') ?? '';
      const devices = connection.peerDevices.map((device) => ({
        name: `connection ${peer} volume ${device.vnr} disk`,
        options: device.options,
      }));
      return [{ name: `connection ${peer} net`, options: connection.netOptions }, ...devices];
    });
  return [...base, ...volumes, ...connections];
}

function place(option: OptionSetting): string {
  if (option.implied) return 'implied';
  return `${option.origin.file}:${option.origin.line}${option.inherited ? ' (inherited)' : ''}`;
}

/** One line an option: section, name, value, place. Undefined: the option is set nowhere. */
export function explainResource(resource: Resource, wanted: string | undefined): string | undefined {
  const rows = scopes(resource).flatMap((scope) =>
    scope.options
      .filter((option) => wanted === undefined || option.name === wanted)
      .map((option) => [scope.name, option.name, option.value, place(option)] as const),
  );
  if (rows.length === 0) return wanted === undefined ? '' : undefined;
  const width = (column: 0 | 1 | 2): number => Math.max(...rows.map((row) => row[column].length));
  const widths = [width(0), width(1), width(2)] as const;
  return rows
    .map(
      (row) =>
        `${row[0].padEnd(widths[0])}  ${row[1].padEnd(widths[1])}  ${row[2].padEnd(widths[2])}  ${row[3]}\n`,
    )
    .join('');
}
