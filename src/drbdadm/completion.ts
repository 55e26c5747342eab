/** `completion bash|zsh`: scripts made from the tables of commands and options. */
import { type OptionSpec } from '../options/option-spec';
import { generalOptions } from './command-line';
import { commandSummaries } from './command-summaries';
import { commands } from './command-table';
import { type ExtraCommand, extraCommands, type ExtraCommandLine, plainWords } from './extra-commands';
import { allBackEndOptions, backEndOptions } from './option-contexts';
import { type TextOutput } from './text-output';

interface CompletedCommand {
  readonly name: string;
  readonly summary: string;
  /** With dashes, and `=` where a value must follow. */
  readonly options: readonly string[];
  readonly words: ExtraCommand['words'] | 'resources-or-all' | 'nothing';
}

const own: readonly ExtraCommand[] = extraCommands;

function offered(): readonly CompletedCommand[] {
  const known = commands
    .filter(({ level }) => level !== 'kernel' && level !== 'unlisted')
    .map((command): CompletedCommand => {
      const options = backEndOptions(command.context);
      const list = options === undefined || options === '*' ? [] : options;
      return {
        name: command.name,
        summary: commandSummaries[command.name] ?? '',
        options: list.map((option) => `--${option.name}${option.argumentOptional ? '' : '='}`),
        words: command.resources === 'none' ? 'nothing' : 'resources-or-all',
      };
    });
  const extra = own.map(({ name, summary, options, words }): CompletedCommand => ({
    name,
    summary,
    options: Object.entries(options).map(([option, value]) => `--${option}${value === 'alone' ? '' : '='}`),
    words,
  }));
  const help: CompletedCommand = {
    name: 'help',
    summary: 'explain a command',
    options: [],
    words: 'commands',
  };
  return [...known, ...extra, help].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function valuesOf(option: OptionSpec): readonly string[] {
  switch (option.kind) {
    case 'boolean':
    case 'flag':
      return ['yes', 'no'];
    case 'enum':
      return option.values;
    case 'number-or-symbol':
      return option.symbols;
    default:
      return [];
  }
}

interface ListedValues {
  readonly values: readonly string[];
  /** A value must follow, also as the next word. */
  readonly required: boolean;
}

/** Values of options that have a list of them, by the shells' pattern for command and option. */
function optionValues(): ReadonlyMap<string, ListedValues> {
  const found = new Map<string, ListedValues>();
  for (const option of allBackEndOptions()) {
    const values = valuesOf(option);
    if (values.length > 0) found.set(`*' --${option.name}'`, { values, required: !option.argumentOptional });
  }
  for (const { name: command, options } of own)
    for (const [name, values] of Object.entries(options))
      if (values !== 'alone') found.set(`'${command} --${name}'`, { values, required: true });
  return found;
}

const general = generalOptions.flatMap(({ name, argument }) => [
  `--${name}${argument === 'none' ? '' : '='}`,
]);
const fileOptions = [
  'config-file',
  'config-to-test',
  'config-to-exclude',
  'drbdsetup',
  'drbdmeta',
  'drbd-proxy-ctl',
];
const letters = generalOptions
  .filter(({ argument }) => argument !== 'none')
  .map(({ letter }) => `-${letter}`);
const fileLetters = generalOptions
  .filter(({ name }) => fileOptions.includes(name))
  .map(({ letter }) => `-${letter}`);
const valued = [
  ...letters,
  ...generalOptions.filter(({ argument }) => argument !== 'none').map(({ name }) => `--${name}`),
];

/** `case` branches: what a shell variable gets for each of these words. */
function branches(
  list: readonly (readonly [string, readonly string[]])[],
  body: (items: readonly string[]) => string,
  indent: string,
): string {
  return list
    .filter(([, items]) => items.length > 0)
    .map(([word, items]) => `${indent}${word}) ${body(items)} ;;\n`)
    .join('');
}

function wordsOf(kind: CompletedCommand['words']): string {
  return offered()
    .filter(({ words }) => words === kind)
    .map(({ name }) => name)
    .join('|');
}

function bashScript(): string {
  const list = offered();
  const options = branches(
    list.map((command) => [command.name, command.options]),
    (items) => `options+=' ${items.join(' ')}'`,
    '        ',
  );
  const values = [...optionValues()]
    .map(([name, { values: list, required }]) => {
      const condition = required ? '' : '[[ $equals ]] && ';
      return `        ${name}) ${condition}values='${list.join(' ')}' ;;\n`;
    })
    .join('');
  return `# bash completion of drbdadm, printed by: drbdadm completion bash
_drbdadm_resources() {
    drbdadm "\${config[@]}" sh-resources 2>/dev/null
    drbdadm "\${config[@]}" -S sh-resources 2>/dev/null
}
_drbdadm() {
    local cur="\${COMP_WORDS[COMP_CWORD]}" option='' command='' values='' equals='' word at
    local -a config=()
    COMPREPLY=()
    # Bash makes a word of its own of the = in --format=json.
    if [[ $cur == '=' ]]; then option="\${COMP_WORDS[COMP_CWORD - 1]}" cur='' equals=1
    elif [[ \${COMP_WORDS[COMP_CWORD - 1]} == '=' ]]; then option="\${COMP_WORDS[COMP_CWORD - 2]}" equals=1
    elif ((COMP_CWORD > 1)); then option="\${COMP_WORDS[COMP_CWORD - 1]}"
    fi
    for ((at = 1; at < COMP_CWORD; at++)); do
        word="\${COMP_WORDS[at]}"
        case "$word" in
        -c|--config-file)
            ((at++))
            [[ \${COMP_WORDS[at]} == '=' ]] && ((at++))
            config=(-c "\${COMP_WORDS[at]}") ;;
        ${valued.filter((each) => each !== '-c' && each !== '--config-file').join('|')})
            ((at++))
            [[ \${COMP_WORDS[at]} == '=' ]] && ((at++)) ;;
        =) ((at++)) ;;
        -*) ;;
        *) [[ -z $command || $command == plan || $command == help ]] && command="$word" ;;
        esac
    done
    case "$option" in
        ${[...fileLetters, ...fileOptions.map((name) => `--${name}`)].join('|')})
            COMPREPLY=($(compgen -f -- "$cur")); compopt -o filenames 2>/dev/null; return ;;
    esac
    case "$command $option" in
${values}    esac
    if [[ -n $values ]]; then COMPREPLY=($(compgen -W "$values" -- "$cur")); return; fi
    if [[ $cur == -* ]]; then
        local options='${general.join(' ')}'
        case "$command" in
${options}        esac
        COMPREPLY=($(compgen -W "$options" -- "$cur"))
        [[ \${COMPREPLY[0]} == *= ]] && compopt -o nospace 2>/dev/null
        return
    fi
    case "$command" in
        ''|${wordsOf('commands')}) COMPREPLY+=($(compgen -W '${list.map(({ name }) => name).join(' ')}' -- "$cur")) ;;
        ${wordsOf('files')}) COMPREPLY+=($(compgen -f -- "$cur")); compopt -o filenames 2>/dev/null ;;
        ${wordsOf('shells')}) COMPREPLY+=($(compgen -W 'bash zsh' -- "$cur")) ;;
        ${wordsOf('nothing')}) ;;
        ${wordsOf('resources')}) COMPREPLY+=($(compgen -W "$(_drbdadm_resources)" -- "$cur")) ;;
        *) COMPREPLY+=($(compgen -W "all $(_drbdadm_resources)" -- "$cur")) ;;
    esac
}
complete -F _drbdadm drbdadm
`;
}

function zshQuoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function zshScript(): string {
  const list = offered();
  const described = list.map(({ name, summary }) => `        ${zshQuoted(`${name}:${summary}`)}\n`).join('');
  const options = branches(
    list.map((command) => [command.name, command.options]),
    (items) => `options+=(${items.join(' ')})`,
    '        ',
  );
  const values = branches(
    [...optionValues()].map(([name, { values: list }]) => [`${name}'='*`, list]),
    (items) => `values=(${items.join(' ')})`,
    '        ',
  );
  return `#compdef drbdadm
# zsh completion of drbdadm, printed by: drbdadm completion zsh
_drbdadm() {
    local cur="\${words[CURRENT]}" command='' word
    local -a config options values resources described
    local -i at
    for ((at = 2; at < CURRENT; at++)); do
        word="\${words[at]}"
        case "$word" in
        -c|--config-file) ((at++)); config=(-c "\${words[at]}") ;;
        --config-file=*) config=(-c "\${word#*=}") ;;
        ${valued.filter((each) => each !== '-c' && each !== '--config-file').join('|')}) ((at++)) ;;
        -*) ;;
        *) if [[ -z $command || $command == plan || $command == help ]]; then command="$word"; fi ;;
        esac
    done
    case "\${words[CURRENT - 1]}" in
        ${[...fileLetters, ...fileOptions.map((name) => `--${name}`)].join('|')}) _files; return ;;
    esac
    case "$cur" in
        ${fileOptions.map((name) => `--${name}=*`).join('|')}) compset -P 1 '*='; _files; return ;;
    esac
    case "$command $cur" in
${values}    esac
    if ((\${#values})); then
        compset -P 1 '*='
        compadd -a values
        return
    fi
    if [[ $cur == -* ]]; then
        options=(${general.join(' ')})
        case "$command" in
${options}        esac
        compadd -S '' -- "\${(@M)options:#*=}"
        compadd -- "\${(@)options:#*=}"
        return
    fi
    described=(
${described}    )
    case "$command" in
        ''|${wordsOf('commands')}) _describe command described; return ;;
        ${wordsOf('files')}) _files; return ;;
        ${wordsOf('shells')}) compadd bash zsh; return ;;
        ${wordsOf('nothing')}) return ;;
    esac
    resources=(\${(f)"$(drbdadm $config sh-resources 2>/dev/null; drbdadm $config -S sh-resources 2>/dev/null)"})
    case "$command" in
        ${wordsOf('resources')}) ;;
        *) resources+=(all) ;;
    esac
    compadd -a resources
}
if [[ \${zsh_eval_context[-1]} == loadautofunc ]]; then _drbdadm "$@"; else compdef _drbdadm drbdadm; fi
`;
}

/** The script for a shell; undefined: there is none for it. */
export function completionScript(shell: string | undefined): string | undefined {
  switch (shell) {
    case 'bash':
      return bashScript();
    case 'zsh':
      return zshScript();
    default:
      return undefined;
  }
}

export function printCompletion(extra: ExtraCommandLine, io: TextOutput): number {
  const script = completionScript(plainWords(extra.after, [])[0]);
  if (script === undefined) {
    io.stderr('drbdadm completion: for bash or zsh?\n');
    return 1;
  }
  io.stdout(script);
  return 0;
}
