import { type OrMethodOpts, type Rule } from 'chevrotain';
import { HostGrammar } from './host-grammar';
import { install, preparedGrammar } from './prepared-grammar';
import { formA, formB, type GrammarSettings } from './section-grammar';
import {
  IgnoreOnWord,
  Integer,
  KAddress,
  KAsk,
  KCommon,
  KConnection,
  KCstate,
  KDialogRefresh,
  KDisableIpVerification,
  KernelVersion,
  KGlobal,
  KHost,
  KHosts,
  KInclude,
  KMesh,
  KMinorCount,
  KNo,
  KOutsideAddress,
  KPath,
  KPeerNodeId,
  KPort,
  KRemoteHost,
  KResource,
  KTemplateFile,
  KThisHost,
  KTimeoutLong,
  KTimeoutMedium,
  KTimeoutShort,
  KUdevAlwaysUseVnr,
  KUsageCount,
  KVia,
  KVolume,
  KYes,
  LBrace,
  OptionValue,
  ProtocolWord,
  RBrace,
  Require,
  Semicolon,
  Str,
  type Token,
} from './tokens';
import type * as tree from './tree';

const expectFileItem = formA(
  'global | common | resource | skip | include |\n\trequire-drbd-module-version-{eq,ne,gt,ge,lt,le}',
);
const expectGlobalItem = formA('dialog-refresh | minor-count | disable-ip-verification');
const expectUsageCount = formA('yes | no | ask');
const expectResourceItem = formB(
  'protocol | on | disk | net | syncer | startup | handlers | connection | ignore-on | stacked-on-top-of | skip',
);
const expectNameOrSemicolon = formB("TK_STRING | ';'");
const expectConnectionItem = formB('host | net | skip | }');
const expectPathItem = formB('host | }');
const expectAfterHost = formB('address | port | ;');
const expectPairEnd = formB('via | ; ');
const expectVia = formB('proxy | outside-address');
const expectMeshItem = formB('hosts | net | }');

/** The grammar of drbd.conf (config-language.md 4), which builds the tree as it goes. */
export class ConfigGrammar extends HostGrammar {
  private recorded: Record<string, Rule> | undefined;

  /** `prepared` saves chevrotain's self analysis. */
  constructor(settings: GrammarSettings = {}, prepared = preparedGrammar) {
    super(settings);
    if (prepared === 'none' || !install(this, prepared)) this.performSelfAnalysis();
  }

  /** The rules themselves, which chevrotain wants for the message of an error, are recorded when they are asked for. */
  override getGAstProductions(): Record<string, Rule> {
    const own = super.getGAstProductions();
    if (Object.keys(own).length > 0) return own;
    return (this.recorded ??= new ConfigGrammar({}, 'none').getGAstProductions());
  }

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
