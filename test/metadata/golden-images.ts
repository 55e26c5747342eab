import fs from 'node:fs';
import path from 'node:path';
import zlib from 'node:zlib';

/** The golden meta-data images of fixtures/metadata (see its README). */
export interface GoldenImage {
  readonly id: string;
  readonly format: string;
  readonly index: string;
  readonly origin: string;
  readonly device_bytes: number;
  readonly region_offset: number;
  readonly region_bytes: number;
  readonly region_sha256: string;
  readonly image: string;
  readonly commands: readonly GoldenCommand[];
  readonly dump?: {
    readonly file: string;
    readonly argv: readonly string[];
    readonly rc: number;
    readonly stderr: string;
  };
  readonly superblock?: {
    readonly file: string;
    readonly argv: readonly string[];
    readonly rc: number;
    readonly stderr: string;
  };
  readonly lkbd?: { readonly name: string; readonly content: string };
  readonly input_dump?: string;
}
export interface GoldenCommand {
  readonly tool: string;
  readonly argv: readonly string[];
  readonly rc: number;
  readonly stdout: string;
  readonly stderr: string;
}

export const goldenFolder = path.join(__dirname, '../../fixtures/metadata');

export function goldenImages(): readonly GoldenImage[] {
  const manifest: { fixtures: GoldenImage[] } = JSON.parse(
    fs.readFileSync(path.join(goldenFolder, 'manifest.json'), 'utf8'),
  );
  return manifest.fixtures;
}

/** The meta-data region of an image, padded to its full length. */
export function goldenRegion(image: GoldenImage): Uint8Array {
  const region = new Uint8Array(image.region_bytes);
  region.set(zlib.gunzipSync(fs.readFileSync(path.join(goldenFolder, image.image))));
  return region;
}

export function goldenText(file: string): string {
  return fs.readFileSync(path.join(goldenFolder, file), 'latin1');
}
