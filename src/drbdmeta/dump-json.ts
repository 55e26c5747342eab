import { type DumpWriter } from '../metadata/dump-writer';
import { type MetaData } from './open-meta-data';
import { refuse, type Tool } from './tool';
export function dumpJson(_tool: Tool, _md: MetaData, _w: DumpWriter, _u: boolean): void {
  refuse(20, 'not implemented yet\n');
}
