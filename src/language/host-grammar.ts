import { type ConsumeMethodOpts, type OrMethodOpts, type TokenType } from 'chevrotain';
import { formA, formB, SectionGrammar } from './section-grammar';
import {
  Colon,
  Integer,
  Ipv4,
  Ipv6,
  KAddress,
  KDevice,
  KDisk,
  KFlexMetaDisk,
  KFloating,
  KInside,
  KIpv4,
  KIpv6,
  KMetaDisk,
  KMinor,
  KNo,
  KNodeId,
  KOn,
  KOptions,
  KOutside,
  KProxy,
  KSci,
  KSdp,
  KSsocks,
  KStacked,
  KThisHost,
  KTiebreaker,
  KVolume,
  KYes,
  LBrace,
  LBracket,
  OddDeviceWord,
  RBracket,
  Semicolon,
  Str,
  textOf,
  type Token,
} from './tokens';
import type * as tree from './tree';

const expectDisk = formB('TK_STRING | {');
const expectHostItem = formA('disk | device | address | meta-disk | flexible-meta-disk | node-id | skip');
const expectFloatingEnd = formB('{ | ;');
const expectVolumeItem = formB('device | disk | meta-disk | flex-meta-disk | }');
const expectTiebreaker = formA('yes | no');
const expectStackedItem = formA('device | address | proxy | volume | node-id');
const expectStackedVolumeItem = formB('device | disk | }');
const expectMinor = formA('minor | ;');
const expectIndex = formA('[ | ;');
const expectAddress = formA('ssocks | sdp | ipv4 | ipv6 | <ipv4 address> ');
const expectNameOrBrace = formB("TK_STRING | '{'");
const expectProxyItem = formA('inside | outside');

/** A literal of this size is slow until V8 has optimised the function. */
class Host implements tree.HostNode {
  readonly kind = 'host';

  constructor(
    readonly form: tree.HostNode['form'],
    readonly keyword: Token,
    readonly names: readonly Token[],
    readonly address: tree.AddressNode | undefined,
    readonly open: Token | undefined,
    readonly items: readonly tree.HostItem[],
    readonly close: Token | undefined,
  ) {}
}

/** Addresses, volumes, proxies and host sections (config-language.md 4). */
export abstract class HostGrammar extends SectionGrammar {
  /** What is expected as the first of several names: an empty list is reported in another way than a wrong token. */
  protected firstName(end: TokenType, otherwise: ConsumeMethodOpts): ConsumeMethodOpts | undefined {
    return this.LA(1).tokenType === end ? undefined : otherwise;
  }

  // ---- addresses

  protected readonly inet = this.RULE('inet', (family: Token | undefined): tree.AddressNode => {
    const address = this.CONSUME(Ipv4);
    this.CONSUME(Colon);
    return { family, address, port: this.CONSUME(Integer) };
  });

  protected readonly addressForms: OrMethodOpts<tree.AddressNode> = {
    DEF: [
      { ALT: () => this.SUBRULE(this.inet) },
      { ALT: () => this.SUBRULE1(this.inet, { ARGS: [this.CONSUME(KIpv4)] }) },
      { ALT: () => this.SUBRULE2(this.inet, { ARGS: [this.CONSUME(KSdp)] }) },
      { ALT: () => this.SUBRULE3(this.inet, { ARGS: [this.CONSUME(KSsocks)] }) },
      { ALT: () => this.SUBRULE4(this.inet, { ARGS: [this.CONSUME(KSci)] }) },
      {
        ALT: () => {
          const family = this.CONSUME(KIpv6);
          this.CONSUME(LBracket);
          const address = this.CONSUME(Ipv6);
          this.CONSUME(RBracket);
          this.CONSUME(Colon);
          return { family, address, port: this.CONSUME(Integer) };
        },
      },
    ],
    ...expectAddress,
  };

  protected readonly address = this.RULE('address', (): tree.AddressNode => this.OR(this.addressForms));

  // ---- volumes

  protected readonly diskForms: OrMethodOpts<tree.DiskPathNode | tree.OptionsNode> = {
    DEF: [
      {
        ALT: () => {
          const keyword = this.LA(0);
          const path = this.CONSUME(Str);
          this.CONSUME(Semicolon);
          return { kind: 'disk-path', keyword, path };
        },
      },
      { ALT: () => this.SUBRULE(this.optionBlock, { ARGS: [this.LA(0)] }) },
    ],
    ...expectDisk,
  };

  protected readonly disk = this.RULE('disk', (): tree.DiskPathNode | tree.OptionsNode => {
    this.CONSUME(KDisk);
    return this.OR(this.diskForms);
  });

  protected readonly minorForms: OrMethodOpts<{ readonly minor: Token | undefined }> = {
    DEF: [
      {
        ALT: () => {
          this.CONSUME(KMinor);
          const minor = this.CONSUME(Integer);
          this.CONSUME(Semicolon);
          return { minor };
        },
      },
      {
        ALT: () => {
          this.CONSUME1(Semicolon);
          return { minor: undefined };
        },
      },
    ],
    ...expectMinor,
  };

  private readonly behindDeviceName = (): { readonly minor: Token | undefined } => this.OR1(this.minorForms);

  protected readonly deviceForms: OrMethodOpts<tree.DeviceNode> = {
    DEF: [
      {
        ALT: () => {
          const keyword = this.LA(0);
          const name = this.CONSUME(Str);
          const rest = this.attempt(this.behindDeviceName);
          return { kind: 'device', keyword, name, minor: rest?.minor, complete: rest !== undefined };
        },
      },
      {
        ALT: () => {
          const keyword = this.LA(0);
          this.CONSUME1(KMinor);
          const minor = this.CONSUME1(Integer);
          this.CONSUME2(Semicolon);
          return { kind: 'device', keyword, name: undefined, minor, complete: true };
        },
      },
      {
        ALT: () => {
          const keyword = this.LA(0);
          this.CONSUME(OddDeviceWord);
          return { kind: 'device', keyword, name: undefined, minor: undefined, complete: true };
        },
      },
    ],
  };

  protected readonly device = this.RULE('device', (): tree.DeviceNode => {
    this.CONSUME(KDevice);
    return this.OR(this.deviceForms);
  });

  protected readonly indexForms: OrMethodOpts<Token | undefined> = {
    DEF: [
      {
        ALT: () => {
          this.CONSUME(LBracket);
          const number = this.CONSUME(Integer);
          this.CONSUME(RBracket);
          this.CONSUME(Semicolon);
          return number;
        },
      },
      {
        ALT: () => {
          this.CONSUME1(Semicolon);
          return undefined;
        },
      },
    ],
    ...expectIndex,
  };

  protected readonly metaDisk = this.RULE('metaDisk', (): tree.MetaDiskNode => {
    const keyword = this.CONSUME(KMetaDisk);
    const path = this.CONSUME(Str);
    this.ACTION(() => this.refuseInternalIndex(path));
    const index = this.OR(this.indexForms);
    return { kind: 'meta-disk', keyword, path, index };
  });

  private refuseInternalIndex(path: Token): void {
    if (this.LA(1).tokenType === LBracket && textOf(path) === 'internal')
      this.CONSUME2(Semicolon, expectIndex);
  }

  protected readonly flexibleMetaDisk = this.RULE('flexibleMetaDisk', (): tree.MetaDiskNode => {
    const keyword = this.CONSUME(KFlexMetaDisk);
    const path = this.CONSUME(Str);
    this.CONSUME(Semicolon);
    return { kind: 'meta-disk', keyword, path, index: undefined };
  });

  protected readonly tiebreaker = this.RULE('tiebreaker', (): tree.TiebreakerNode => {
    const keyword = this.CONSUME(KTiebreaker);
    const value = this.OR({
      DEF: [{ ALT: () => this.CONSUME(KYes) }, { ALT: () => this.CONSUME(KNo) }],
      ...expectTiebreaker,
    });
    this.CONSUME(Semicolon);
    return { kind: 'tiebreaker', keyword, value };
  });

  protected readonly volumeItems: OrMethodOpts<tree.VolumeItem> = {
    DEF: [
      { ALT: () => this.SUBRULE(this.disk) },
      { ALT: () => this.SUBRULE(this.device) },
      { ALT: () => this.SUBRULE(this.metaDisk) },
      { ALT: () => this.SUBRULE(this.flexibleMetaDisk) },
      { ALT: () => this.SUBRULE(this.tiebreaker) },
      { ALT: () => this.SUBRULE(this.skip) },
    ],
  };

  protected readonly volume = this.RULE('volume', (): tree.VolumeNode => {
    const keyword = this.CONSUME(KVolume);
    const number = this.CONSUME(Integer);
    const open = this.CONSUME(LBrace);
    const { items, close } = this.body(this.volumeItems, expectVolumeItem);
    return { kind: 'volume', keyword, number, open, items, close };
  });

  protected readonly stackedVolumeItems: OrMethodOpts<tree.VolumeItem> = {
    DEF: [{ ALT: () => this.SUBRULE(this.device) }, { ALT: () => this.SUBRULE(this.diskSection) }],
  };

  protected readonly stackedVolume = this.RULE('stackedVolume', (): tree.VolumeNode => {
    const keyword = this.CONSUME(KVolume);
    const number = this.CONSUME(Integer);
    const open = this.CONSUME(LBrace);
    const { items, close } = this.body(this.stackedVolumeItems, expectStackedVolumeItem);
    return { kind: 'volume', keyword, number, open, items, close };
  });

  // ---- proxy on

  protected readonly proxyItems: OrMethodOpts<tree.ProxyAddressNode | tree.OptionsNode> = {
    DEF: [{ ALT: () => this.SUBRULE(this.proxyAddress) }, { ALT: () => this.SUBRULE(this.proxyOptions) }],
  };

  protected readonly proxyOptions = this.RULE('proxyOptions', (): tree.OptionsNode => {
    const keyword = this.CONSUME(KOptions);
    return this.SUBRULE(this.proxyOptionBlock, { ARGS: [keyword] });
  });

  protected readonly proxyAddress = this.RULE('proxyAddress', (): tree.ProxyAddressNode => {
    const keyword = this.OR([{ ALT: () => this.CONSUME(KInside) }, { ALT: () => this.CONSUME(KOutside) }]);
    const address = this.SUBRULE(this.address);
    return this.ended({ kind: 'proxy-address', keyword, address });
  });

  protected readonly proxyOn = this.RULE('proxyOn', (): tree.ProxyNode => {
    const keyword = this.CONSUME(KProxy);
    this.CONSUME(KOn);
    const names = [this.CONSUME(Str, this.firstName(LBrace, expectNameOrBrace))];
    this.MANY1(() => {
      names.push(this.CONSUME1(Str));
    });
    const open = this.CONSUME(LBrace, expectNameOrBrace);
    const { items, close } = this.body(this.proxyItems, expectProxyItem);
    return { kind: 'proxy', keyword, names, open, items, close };
  });

  // ---- hosts

  protected readonly addressStatement = this.RULE('addressStatement', (): tree.AddressStatementNode => {
    const keyword = this.CONSUME(KAddress);
    const address = this.SUBRULE(this.address);
    return this.ended({ kind: 'address', keyword, address });
  });

  protected readonly nodeId = this.RULE('nodeId', (): tree.NodeIdNode => {
    const keyword = this.CONSUME(KNodeId);
    const value = this.CONSUME(Integer);
    return this.ended({ kind: 'node-id', keyword, value });
  });

  protected readonly hostItems: OrMethodOpts<tree.HostItem> = {
    DEF: [
      { ALT: () => this.SUBRULE(this.addressStatement) },
      { ALT: () => this.SUBRULE(this.nodeId) },
      { ALT: () => this.SUBRULE(this.volume) },
      { ALT: () => this.SUBRULE(this.disk) },
      { ALT: () => this.SUBRULE(this.device) },
      { ALT: () => this.SUBRULE(this.metaDisk) },
      { ALT: () => this.SUBRULE(this.flexibleMetaDisk) },
      { ALT: () => this.SUBRULE(this.optionsSection) },
      { ALT: () => this.SUBRULE(this.proxyOn) },
      { ALT: () => this.SUBRULE(this.skip) },
    ],
  };

  protected readonly onHost = this.RULE('onHost', (): tree.HostNode => {
    const keyword = this.CONSUME(KOn);
    const names = [this.CONSUME(Str, this.firstName(LBrace, expectNameOrBrace))];
    this.MANY1(() => {
      names.push(this.CONSUME1(Str));
    });
    const open = this.CONSUME(LBrace, expectNameOrBrace);
    const { items, close } = this.body(this.hostItems, expectHostItem);
    return new Host('on', keyword, names, undefined, open, items, close);
  });

  protected readonly thisHost = this.RULE('thisHost', (): tree.HostNode => {
    const keyword = this.CONSUME(KThisHost);
    const open = this.CONSUME(LBrace);
    const { items, close } = this.body(this.hostItems, expectHostItem);
    return new Host('this-host', keyword, [], undefined, open, items, close);
  });

  protected readonly floatingHost = this.RULE('floatingHost', (): tree.HostNode => {
    const keyword = this.CONSUME(KFloating);
    const address = this.SUBRULE(this.address);
    return this.OR1<tree.HostNode>({
      DEF: [
        {
          ALT: () => {
            const open = this.CONSUME(LBrace);
            const { items, close } = this.body(this.hostItems, expectHostItem);
            return new Host('floating', keyword, [], address, open, items, close);
          },
        },
        {
          ALT: () => {
            const close = this.CONSUME(Semicolon);
            return new Host('floating', keyword, [], address, undefined, [], close);
          },
        },
      ],
      ...expectFloatingEnd,
    });
  });

  protected readonly stackedItems: OrMethodOpts<tree.HostItem> = {
    DEF: [
      { ALT: () => this.SUBRULE(this.device) },
      { ALT: () => this.SUBRULE(this.addressStatement) },
      { ALT: () => this.SUBRULE(this.proxyOn) },
      { ALT: () => this.SUBRULE(this.stackedVolume) },
      { ALT: () => this.SUBRULE(this.nodeId) },
    ],
  };

  protected readonly stackedHost = this.RULE('stackedHost', (): tree.HostNode => {
    const keyword = this.CONSUME(KStacked);
    const names = [this.CONSUME(Str)];
    const open = this.CONSUME(LBrace);
    const { items, close } = this.body(this.stackedItems, expectStackedItem);
    return new Host('stacked', keyword, names, undefined, open, items, close);
  });
}
