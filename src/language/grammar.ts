import { type ConsumeMethodOpts, type OrMethodOpts, type TokenType } from 'chevrotain';
import {
  Colon,
  IgnoreOnWord,
  Integer,
  Ipv4,
  Ipv6,
  KAddress,
  KAsk,
  KCommon,
  KConnection,
  KCstate,
  KDevice,
  KDialogRefresh,
  KDisableIpVerification,
  KDisk,
  KernelVersion,
  KFlexMetaDisk,
  KFloating,
  KGlobal,
  KHost,
  KHosts,
  KInclude,
  KInside,
  KIpv4,
  KIpv6,
  KMesh,
  KMetaDisk,
  KMinor,
  KMinorCount,
  KNo,
  KNodeId,
  KOn,
  KOptions,
  KOutside,
  KOutsideAddress,
  KPath,
  KPeerNodeId,
  KPort,
  KProxy,
  KRemoteHost,
  KResource,
  KSci,
  KSdp,
  KSsocks,
  KStacked,
  KTemplateFile,
  KThisHost,
  KTiebreaker,
  KTimeoutLong,
  KTimeoutMedium,
  KTimeoutShort,
  KUdevAlwaysUseVnr,
  KUsageCount,
  KVia,
  KVolume,
  KYes,
  LBrace,
  LBracket,
  OddDeviceWord,
  OptionValue,
  ProtocolWord,
  RBrace,
  RBracket,
  Require,
  Semicolon,
  Str,
  textOf,
  type Token,
} from './tokens';
import { formA, formB, SectionGrammar } from './section-grammar';
import type * as tree from './tree';

const expectFileItem = formA(
  'global | common | resource | skip | include |\n\trequire-drbd-module-version-{eq,ne,gt,ge,lt,le}',
);
const expectGlobalItem = formA('dialog-refresh | minor-count | disable-ip-verification');
const expectUsageCount = formA('yes | no | ask');
const expectResourceItem = formB(
  'protocol | on | disk | net | syncer | startup | handlers | connection | ignore-on | stacked-on-top-of | skip',
);
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
const expectNameOrSemicolon = formB("TK_STRING | ';'");
const expectConnectionItem = formB('host | net | skip | }');
const expectPathItem = formB('host | }');
const expectAfterHost = formB('address | port | ;');
const expectPairEnd = formB('via | ; ');
const expectVia = formB('proxy | outside-address');
const expectMeshItem = formB('hosts | net | }');
const expectProxyItem = formA('inside | outside');

/** The grammar of drbd.conf (config-language.md 4), which builds the tree as it goes. */
export class ConfigGrammar extends SectionGrammar {
  constructor(validate = false) {
    super(validate);
    this.performSelfAnalysis();
  }

  /** What is expected as the first of several names: an empty list is reported in another way than a wrong token. */
  private firstName(end: TokenType, otherwise: ConsumeMethodOpts): ConsumeMethodOpts | undefined {
    return this.LA(1).tokenType === end ? undefined : otherwise;
  }

  // ---- addresses

  private readonly inet = this.RULE('inet', (family: Token | undefined): tree.AddressNode => {
    const address = this.CONSUME(Ipv4);
    this.CONSUME(Colon);
    return { family, address, port: this.CONSUME(Integer) };
  });

  private readonly addressForms: OrMethodOpts<tree.AddressNode> = {
    DEF: [
      { ALT: () => this.SUBRULE(this.inet, { ARGS: [undefined] }) },
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

  private readonly address = this.RULE('address', (): tree.AddressNode => this.OR(this.addressForms));

  // ---- volumes

  private readonly disk = this.RULE('disk', (): tree.DiskPathNode | tree.OptionsNode => {
    const keyword = this.CONSUME(KDisk);
    return this.OR<tree.DiskPathNode | tree.OptionsNode>({
      DEF: [
        {
          ALT: () => {
            const path = this.CONSUME(Str);
            this.CONSUME(Semicolon);
            return { kind: 'disk-path', keyword, path };
          },
        },
        { ALT: () => this.SUBRULE(this.optionBlock, { ARGS: [keyword] }) },
      ],
      ...expectDisk,
    });
  });

  private readonly device = this.RULE('device', (): tree.DeviceNode => {
    const keyword = this.CONSUME(KDevice);
    return this.OR<tree.DeviceNode>([
      {
        ALT: () => {
          const name = this.CONSUME(Str);
          const rest = this.attempt(() =>
            this.OR1<{ readonly minor: Token | undefined }>({
              DEF: [
                {
                  ALT: () => {
                    this.CONSUME(KMinor);
                    const number = this.CONSUME(Integer);
                    this.CONSUME(Semicolon);
                    return { minor: number };
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
            }),
          );
          return { kind: 'device', keyword, name, minor: rest?.minor, complete: rest !== undefined };
        },
      },
      {
        ALT: () => {
          this.CONSUME1(KMinor);
          const minor = this.CONSUME1(Integer);
          this.CONSUME2(Semicolon);
          return { kind: 'device', keyword, name: undefined, minor, complete: true };
        },
      },
      {
        ALT: () => {
          this.CONSUME(OddDeviceWord);
          return { kind: 'device', keyword, name: undefined, minor: undefined, complete: true };
        },
      },
    ]);
  });

  private readonly metaDisk = this.RULE('metaDisk', (): tree.MetaDiskNode => {
    const keyword = this.CONSUME(KMetaDisk);
    const path = this.CONSUME(Str);
    const internal = this.ACTION(() => textOf(path) === 'internal');
    const index = this.OR<Token | undefined>({
      DEF: [
        {
          GATE: () => !internal,
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
            this.CONSUME1(Semicolon, internal ? undefined : expectIndex);
            return undefined;
          },
        },
      ],
      ...expectIndex,
    });
    return { kind: 'meta-disk', keyword, path, index };
  });

  private readonly flexibleMetaDisk = this.RULE('flexibleMetaDisk', (): tree.MetaDiskNode => {
    const keyword = this.CONSUME(KFlexMetaDisk);
    const path = this.CONSUME(Str);
    this.CONSUME(Semicolon);
    return { kind: 'meta-disk', keyword, path, index: undefined };
  });

  private readonly tiebreaker = this.RULE('tiebreaker', (): tree.TiebreakerNode => {
    const keyword = this.CONSUME(KTiebreaker);
    const value = this.OR({
      DEF: [{ ALT: () => this.CONSUME(KYes) }, { ALT: () => this.CONSUME(KNo) }],
      ...expectTiebreaker,
    });
    this.CONSUME(Semicolon);
    return { kind: 'tiebreaker', keyword, value };
  });

  private readonly volumeItems: OrMethodOpts<tree.VolumeItem> = {
    DEF: [
      { ALT: () => this.SUBRULE(this.disk) },
      { ALT: () => this.SUBRULE(this.device) },
      { ALT: () => this.SUBRULE(this.metaDisk) },
      { ALT: () => this.SUBRULE(this.flexibleMetaDisk) },
      { ALT: () => this.SUBRULE(this.tiebreaker) },
      { ALT: () => this.SUBRULE(this.skip) },
    ],
  };

  private readonly volume = this.RULE('volume', (): tree.VolumeNode => {
    const keyword = this.CONSUME(KVolume);
    const number = this.CONSUME(Integer);
    const open = this.CONSUME(LBrace);
    const { items, close } = this.body(this.volumeItems, expectVolumeItem);
    return { kind: 'volume', keyword, number, open, items, close };
  });

  private readonly stackedVolumeItems: OrMethodOpts<tree.VolumeItem> = {
    DEF: [{ ALT: () => this.SUBRULE(this.device) }, { ALT: () => this.SUBRULE(this.diskSection) }],
  };

  private readonly stackedVolume = this.RULE('stackedVolume', (): tree.VolumeNode => {
    const keyword = this.CONSUME(KVolume);
    const number = this.CONSUME(Integer);
    const open = this.CONSUME(LBrace);
    const { items, close } = this.body(this.stackedVolumeItems, expectStackedVolumeItem);
    return { kind: 'volume', keyword, number, open, items, close };
  });

  // ---- proxy on

  private readonly proxyItems: OrMethodOpts<tree.ProxyAddressNode | tree.OptionsNode> = {
    DEF: [{ ALT: () => this.SUBRULE(this.proxyAddress) }, { ALT: () => this.SUBRULE(this.proxyOptions) }],
  };

  private readonly proxyOptions = this.RULE('proxyOptions', (): tree.OptionsNode => {
    const keyword = this.CONSUME(KOptions);
    return this.SUBRULE(this.proxyOptionBlock, { ARGS: [keyword] });
  });

  private readonly proxyAddress = this.RULE('proxyAddress', (): tree.ProxyAddressNode => {
    const keyword = this.OR([{ ALT: () => this.CONSUME(KInside) }, { ALT: () => this.CONSUME(KOutside) }]);
    const address = this.SUBRULE(this.address);
    return this.ended({ kind: 'proxy-address', keyword, address });
  });

  private readonly proxyOn = this.RULE('proxyOn', (): tree.ProxyNode => {
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

  private readonly addressStatement = this.RULE('addressStatement', (): tree.AddressStatementNode => {
    const keyword = this.CONSUME(KAddress);
    const address = this.SUBRULE(this.address);
    return this.ended({ kind: 'address', keyword, address });
  });

  private readonly nodeId = this.RULE('nodeId', (): tree.NodeIdNode => {
    const keyword = this.CONSUME(KNodeId);
    const value = this.CONSUME(Integer);
    return this.ended({ kind: 'node-id', keyword, value });
  });

  private readonly hostItems: OrMethodOpts<tree.HostItem> = {
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

  private readonly onHost = this.RULE('onHost', (): tree.HostNode => {
    const keyword = this.CONSUME(KOn);
    const names = [this.CONSUME(Str, this.firstName(LBrace, expectNameOrBrace))];
    this.MANY1(() => {
      names.push(this.CONSUME1(Str));
    });
    const open = this.CONSUME(LBrace, expectNameOrBrace);
    const { items, close } = this.body(this.hostItems, expectHostItem);
    return { kind: 'host', form: 'on', keyword, names, address: undefined, open, items, close };
  });

  private readonly thisHost = this.RULE('thisHost', (): tree.HostNode => {
    const keyword = this.CONSUME(KThisHost);
    const open = this.CONSUME(LBrace);
    const { items, close } = this.body(this.hostItems, expectHostItem);
    return { kind: 'host', form: 'this-host', keyword, names: [], address: undefined, open, items, close };
  });

  private readonly floatingHost = this.RULE('floatingHost', (): tree.HostNode => {
    const keyword = this.CONSUME(KFloating);
    const address = this.SUBRULE(this.address);
    const host = { kind: 'host', form: 'floating', keyword, names: [], address } as const;
    return this.OR1<tree.HostNode>({
      DEF: [
        {
          ALT: () => {
            const open = this.CONSUME(LBrace);
            const { items, close } = this.body(this.hostItems, expectHostItem);
            return { ...host, open, items, close };
          },
        },
        {
          ALT: () => {
            const close = this.CONSUME(Semicolon);
            return { ...host, open: undefined, items: [], close };
          },
        },
      ],
      ...expectFloatingEnd,
    });
  });

  private readonly stackedItems: OrMethodOpts<tree.HostItem> = {
    DEF: [
      { ALT: () => this.SUBRULE(this.device) },
      { ALT: () => this.SUBRULE(this.addressStatement) },
      { ALT: () => this.SUBRULE(this.proxyOn) },
      { ALT: () => this.SUBRULE(this.stackedVolume) },
      { ALT: () => this.SUBRULE(this.nodeId) },
    ],
  };

  private readonly stackedHost = this.RULE('stackedHost', (): tree.HostNode => {
    const keyword = this.CONSUME(KStacked);
    const names = [this.CONSUME(Str)];
    const open = this.CONSUME(LBrace);
    const { items, close } = this.body(this.stackedItems, expectStackedItem);
    return { kind: 'host', form: 'stacked', keyword, names, address: undefined, open, items, close };
  });

  // ---- connections

  private readonly pairEnd = this.RULE('pairEnd', (): tree.PairNode['via'] =>
    this.OR<tree.PairNode['via']>({
      DEF: [
        {
          ALT: () => {
            this.CONSUME(Semicolon);
            return undefined;
          },
        },
        {
          ALT: () => {
            this.CONSUME(KVia);
            return this.OR1<tree.PairNode['via']>({
              DEF: [
                { ALT: () => this.SUBRULE(this.proxyOn) },
                {
                  ALT: () => {
                    const keyword = this.CONSUME(KOutsideAddress);
                    const address = this.SUBRULE(this.address);
                    this.CONSUME1(Semicolon);
                    return { kind: 'outside-address', keyword, address };
                  },
                },
              ],
              ...expectVia,
            });
          },
        },
      ],
      ...expectPairEnd,
    }),
  );

  private readonly namedPair = this.RULE('namedPair', (): tree.PairNode => {
    const keyword = this.CONSUME(KHost);
    const name = this.CONSUME(Str);
    let address: tree.AddressNode | undefined;
    let port: Token | undefined;
    let plain = true;
    this.OPTION(() =>
      this.OR([
        {
          ALT: () => {
            this.CONSUME(KAddress);
            address = this.SUBRULE(this.address);
            plain = false;
          },
        },
        {
          ALT: () => {
            this.CONSUME(KPort);
            port = this.CONSUME(Integer);
            plain = false;
          },
        },
      ]),
    );
    this.ACTION(() => {
      if (plain) this.requirePairEnd();
    });
    const via = this.SUBRULE(this.pairEnd);
    return { kind: 'pair', keyword, name, address, port, via };
  });

  /** Directly behind the host's name the real tool expects something else than behind an address. */
  private requirePairEnd(): void {
    const next = this.LA(1).tokenType;
    if (next !== Semicolon && next !== KVia) this.CONSUME(Semicolon, expectAfterHost);
  }

  private readonly addressPair = this.RULE('addressPair', (): tree.PairNode => {
    const keyword = this.OR([
      { ALT: () => this.CONSUME(KAddress) },
      { ALT: () => this.CONSUME(KThisHost) },
      { ALT: () => this.CONSUME(KRemoteHost) },
    ]);
    const address = this.SUBRULE(this.address);
    const via = this.SUBRULE(this.pairEnd);
    return { kind: 'pair', keyword, name: undefined, address, port: undefined, via };
  });

  private readonly pathItems: OrMethodOpts<tree.PairNode> = {
    DEF: [{ ALT: () => this.SUBRULE(this.namedPair) }, { ALT: () => this.SUBRULE(this.addressPair) }],
  };

  private readonly path = this.RULE('path', (): tree.PathNode => {
    const keyword = this.CONSUME(KPath);
    const open = this.CONSUME(LBrace);
    const { items, close } = this.body(this.pathItems, expectPathItem);
    return { kind: 'path', keyword, open, items, close };
  });

  private readonly peerVolume = this.RULE('peerVolume', (): tree.PeerVolumeNode => {
    const keyword = this.CONSUME(KVolume);
    const number = this.CONSUME(Integer);
    this.CONSUME(LBrace);
    const options = this.SUBRULE(this.diskSection);
    this.CONSUME(RBrace);
    return { kind: 'peer-volume', keyword, number, options };
  });

  private readonly showStatement = this.RULE('showStatement', (): tree.ShowNode =>
    this.OR<tree.ShowNode>([
      {
        ALT: () => {
          const keyword = this.CONSUME(KPeerNodeId);
          const value = this.CONSUME(Integer);
          this.CONSUME(Semicolon);
          return { kind: 'show', keyword, value };
        },
      },
      {
        ALT: () => {
          const keyword = this.CONSUME(KCstate);
          const value = this.CONSUME(Str);
          this.CONSUME1(Semicolon);
          return { kind: 'show', keyword, value };
        },
      },
    ]),
  );

  private readonly connectionItems: OrMethodOpts<tree.ConnectionItem> = {
    DEF: [
      { ALT: () => this.SUBRULE(this.namedPair) },
      { ALT: () => this.SUBRULE(this.addressPair) },
      { ALT: () => this.SUBRULE(this.path) },
      { ALT: () => this.SUBRULE(this.netSection) },
      { ALT: () => this.SUBRULE(this.diskSection) },
      { ALT: () => this.SUBRULE(this.peerVolume) },
      { ALT: () => this.SUBRULE(this.showStatement) },
      { ALT: () => this.SUBRULE(this.skip) },
    ],
  };

  private readonly connection = this.RULE('connection', (): tree.ConnectionNode => {
    const keyword = this.CONSUME(KConnection);
    const name = this.OPTION(() => this.CONSUME(Str));
    const open = this.CONSUME(LBrace);
    const { items, close } = this.body(this.connectionItems, expectConnectionItem);
    return { kind: 'connection', keyword, name, open, items, close };
  });

  private readonly meshHosts = this.RULE('meshHosts', (): tree.MeshHostsNode => {
    const keyword = this.CONSUME(KHosts);
    const names = [this.CONSUME(Str, this.firstName(Semicolon, expectNameOrSemicolon))];
    this.MANY(() => {
      names.push(this.CONSUME1(Str));
    });
    this.CONSUME(Semicolon, expectNameOrSemicolon);
    return { kind: 'mesh-hosts', keyword, names };
  });

  private readonly meshItems: OrMethodOpts<tree.MeshHostsNode | tree.OptionsNode> = {
    DEF: [{ ALT: () => this.SUBRULE(this.meshHosts) }, { ALT: () => this.SUBRULE(this.netSection) }],
  };

  private readonly mesh = this.RULE('mesh', (): tree.MeshNode => {
    const keyword = this.CONSUME(KMesh);
    const open = this.CONSUME(LBrace);
    const { items, close } = this.body(this.meshItems, expectMeshItem);
    return { kind: 'mesh', keyword, open, items, close };
  });

  // ---- resources

  private readonly protocol = this.RULE('protocol', (): tree.ProtocolNode => {
    const keyword = this.CONSUME(ProtocolWord);
    const value = this.OPTION(() => this.CONSUME(OptionValue));
    return this.ended({ kind: 'protocol', keyword, value });
  });

  private readonly ignoreOn = this.RULE('ignoreOn', (): tree.IgnoreOnNode => {
    const keyword = this.CONSUME(IgnoreOnWord);
    const host = this.CONSUME(Str);
    this.CONSUME(Semicolon);
    return { kind: 'ignore-on', keyword, host };
  });

  private readonly templateFile = this.RULE('templateFile', (): tree.TemplateFileNode => {
    const keyword = this.CONSUME(KTemplateFile);
    const path = this.CONSUME(Str);
    this.CONSUME(Semicolon);
    return { kind: 'template-file', keyword, path };
  });

  private readonly resourceItems: OrMethodOpts<tree.ResourceItem> = {
    DEF: [
      { ALT: () => this.SUBRULE(this.onHost) },
      { ALT: () => this.SUBRULE(this.volume) },
      { ALT: () => this.SUBRULE(this.mesh) },
      { ALT: () => this.SUBRULE(this.connection) },
      { ALT: () => this.SUBRULE(this.netSection) },
      { ALT: () => this.SUBRULE(this.disk) },
      { ALT: () => this.SUBRULE(this.device) },
      { ALT: () => this.SUBRULE(this.metaDisk) },
      { ALT: () => this.SUBRULE(this.flexibleMetaDisk) },
      { ALT: () => this.SUBRULE(this.protocol) },
      { ALT: () => this.SUBRULE(this.optionsSection) },
      { ALT: () => this.SUBRULE(this.handlersSection) },
      { ALT: () => this.SUBRULE(this.startupSection) },
      { ALT: () => this.SUBRULE(this.syncerSection) },
      { ALT: () => this.SUBRULE(this.proxySection) },
      { ALT: () => this.SUBRULE(this.floatingHost) },
      { ALT: () => this.SUBRULE(this.stackedHost) },
      { ALT: () => this.SUBRULE(this.thisHost) },
      { ALT: () => this.SUBRULE(this.templateFile) },
      { ALT: () => this.SUBRULE(this.ignoreOn) },
      { ALT: () => this.SUBRULE(this.skip) },
    ],
  };

  private readonly resource = this.RULE('resource', (): tree.ResourceNode => {
    const keyword = this.CONSUME(KResource);
    const name = this.CONSUME(Str);
    const open = this.CONSUME(LBrace);
    const { items, close } = this.body(this.resourceItems, expectResourceItem, 'brace-or-end');
    return { kind: 'resource', keyword, name, open, items, close };
  });

  private readonly common = this.RULE('common', (): tree.ResourceNode => {
    const keyword = this.CONSUME(KCommon);
    const open = this.CONSUME(LBrace);
    const { items, close } = this.body(this.resourceItems, expectResourceItem, 'brace-or-end');
    return { kind: 'common', keyword, name: undefined, open, items, close };
  });

  // ---- the file

  private readonly globalNumber = this.RULE('globalNumber', (): tree.GlobalNumberNode => {
    const keyword = this.OR([
      { ALT: () => this.CONSUME(KMinorCount) },
      { ALT: () => this.CONSUME(KDialogRefresh) },
      { ALT: () => this.CONSUME(KTimeoutShort) },
      { ALT: () => this.CONSUME(KTimeoutMedium) },
      { ALT: () => this.CONSUME(KTimeoutLong) },
    ]);
    const value = this.CONSUME(Integer);
    return this.ended({ kind: 'global-number', keyword, value });
  });

  private readonly globalFlag = this.RULE('globalFlag', (): tree.GlobalFlagNode => {
    const keyword = this.OR([
      { ALT: () => this.CONSUME(KDisableIpVerification) },
      { ALT: () => this.CONSUME(KUdevAlwaysUseVnr) },
    ]);
    this.CONSUME(Semicolon);
    return { kind: 'global-flag', keyword };
  });

  private readonly usageCount = this.RULE('usageCount', (): tree.UsageCountNode => {
    const keyword = this.CONSUME(KUsageCount);
    const value = this.OR({
      DEF: [
        { ALT: () => this.CONSUME(KYes) },
        { ALT: () => this.CONSUME(KNo) },
        { ALT: () => this.CONSUME(KAsk) },
      ],
      ...expectUsageCount,
    });
    this.CONSUME(Semicolon);
    return { kind: 'usage-count', keyword, value };
  });

  private readonly globalItems: OrMethodOpts<
    tree.GlobalFlagNode | tree.GlobalNumberNode | tree.UsageCountNode
  > = {
    DEF: [
      { ALT: () => this.SUBRULE(this.globalFlag) },
      { ALT: () => this.SUBRULE(this.globalNumber) },
      { ALT: () => this.SUBRULE(this.usageCount) },
    ],
  };

  private readonly global = this.RULE('global', (): tree.GlobalNode => {
    const keyword = this.CONSUME(KGlobal);
    const open = this.CONSUME(LBrace);
    const { items, close } = this.body(this.globalItems, expectGlobalItem);
    return { kind: 'global', keyword, open, items, close };
  });

  private readonly include = this.RULE('include', (): tree.IncludeNode => {
    const keyword = this.CONSUME(KInclude);
    const pattern = this.CONSUME(Str);
    this.CONSUME(Semicolon);
    return { kind: 'include', keyword, pattern };
  });

  private readonly require = this.RULE('require', (): tree.RequireNode => {
    const keyword = this.CONSUME(Require);
    const version = this.CONSUME(KernelVersion);
    this.CONSUME(Semicolon);
    return { kind: 'require', keyword, version };
  });

  private readonly fileItems: OrMethodOpts<tree.FileItem> = {
    DEF: [
      { ALT: () => this.SUBRULE(this.resource) },
      { ALT: () => this.SUBRULE(this.include) },
      { ALT: () => this.SUBRULE(this.global) },
      { ALT: () => this.SUBRULE(this.common) },
      { ALT: () => this.SUBRULE(this.skip) },
      { ALT: () => this.SUBRULE(this.require) },
    ],
  };

  readonly file = this.RULE('file', (): tree.FileNode => {
    const { items } = this.body(this.fileItems, expectFileItem, 'end');
    return { items, lastLine: this.lastLine };
  });
}
