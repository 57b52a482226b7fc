// The completion of each shell: a few lines that ask `skein __complete` at every TAB, and so are never out of date.

export const shells = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof shells)[number];

/** In place of names: the shell completes files by itself. */
export const filesMark = ":files";

const bash = `# bash completion for skein: eval "$(skein completion bash)"
_skein() {
  local out value text
  COMPREPLY=()
  out=$("\${COMP_WORDS[0]}" __complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null) || return 0
  while IFS=$'\\t' read -r value text; do
    if [ "$value" = "${filesMark}" ]; then
      compopt -o default 2>/dev/null
    elif [ -n "$value" ]; then
      COMPREPLY+=("$value")
    fi
  done <<< "$out"
  return 0
}
complete -F _skein skein
`;

const zsh = `#compdef skein
# zsh completion for skein: eval "$(skein completion zsh)", or as _skein in a folder of $fpath
_skein() {
  local -a lines values
  local line
  local -i files=0
  lines=("\${(@f)$("\${words[1]}" __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  for line in "\${lines[@]}"; do
    if [[ $line == "${filesMark}" ]]; then
      files=1
    elif [[ -n $line ]]; then
      values+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}")
    fi
  done
  (( $#values )) && _describe -V skein values
  (( files )) && _files
  return 0
}
if [[ "\${funcstack[1]}" = _skein ]]; then
  _skein "$@"
else
  compdef _skein skein
fi
`;

const fish = `# fish completion for skein: skein completion fish | source
function __skein_complete
    set -l before (commandline -opc)
    set -l current (commandline -ct)
    for line in ($before[1] __complete -- $before[2..-1] "$current" 2>/dev/null)
        if test "$line" = "${filesMark}"
            __fish_complete_path "$current"
        else if test -n "$line"
            echo $line
        end
    end
end
complete -c skein -f -a '(__skein_complete)'
`;

export const scripts: Readonly<Record<Shell, string>> = { bash, zsh, fish };
