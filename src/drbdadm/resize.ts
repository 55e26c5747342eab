/** `resize` and `check-resize` (drbdadm.md 7.5). */
import { type Resource, type Volume } from '../config/model';
import { type VolumeScope } from './scope';
import { hasDisk, matchingTexts } from './back-end-words';
import { type CallSettings, drbdmetaCall, drbdsetupCall, minorOf } from './calls';
import { type BackEndCall, type Step } from './plan';

function configuredSize(resource: Resource, volume: Volume): string | undefined {
  const options = [...volume.diskOptions, ...resource.options.disk];
  return options.find((option) => option.name === 'size')?.value;
}

function resizeCall(settings: CallSettings, resource: Resource, volume: Volume): BackEndCall {
  const given = matchingTexts(settings.texts, 'resize_cmd');
  const size = configuredSize(resource, volume);
  return drbdsetupCall({
    words: [
      'resize',
      String(minorOf(volume)),
      // Unlike elsewhere, an option of the command line does not replace this one.
      ...(size === undefined ? [] : [`--size=${size}`]),
      ...given,
    ],
    resource: resource.name,
    limit: 'medium',
  });
}

function checkCall(resource: Resource, volume: Volume): BackEndCall {
  return drbdsetupCall({ words: ['check-resize', String(minorOf(volume))], resource: resource.name });
}

function targetSize(call: BackEndCall): string | undefined {
  return call.words.find((word) => word.startsWith('--size='))?.slice('--size='.length);
}

/** Grow or shrink a volume, then see that drbdmeta's position record is right. */
export function resizeVolume(settings: CallSettings, resource: Resource, volume: Volume): Step {
  const resize = resizeCall(settings, resource, volume);
  return {
    kind: 'resize',
    minor: minorOf(volume),
    size: targetSize(resize),
    resize,
    check: checkCall(resource, volume),
    wait: true,
    offline: undefined,
  };
}

export function resizeSteps(scope: VolumeScope): readonly Step[] {
  return [resizeVolume(scope.settings, scope.resource, scope.volume)];
}

export function checkResizeSteps(scope: VolumeScope): readonly Step[] {
  const { settings, resource, volume } = scope;
  const resize: BackEndCall = { ...resizeCall(settings, resource, volume), errors: 'hidden' };
  const offline = hasDisk(volume)
    ? drbdmetaCall(settings, resource, volume, 'check-resize', { limit: 'medium' })
    : 'no-disk';
  const check: BackEndCall = { ...checkCall(resource, volume), errors: 'hidden' };
  return [
    { kind: 'resize', minor: minorOf(volume), size: targetSize(resize), resize, check, wait: false, offline },
  ];
}
