"""What each shell loads. The shell hands the words typed so far to `raykit __complete`.

Every script falls back to the names of files where raykit offers nothing. No script evaluates what
raykit prints: names come from clusters and kubeconfigs of others.
"""

from __future__ import annotations

from enum import StrEnum


class Shell(StrEnum):
    """The shells that raykit can complete in."""

    bash = "bash"
    zsh = "zsh"
    fish = "fish"


BASH = r"""# raykit in bash 4.4 or later:  source <(raykit completion bash)
_raykit() {
    mapfile -t COMPREPLY < <(
        "${1/#\~/$HOME}" __complete bash "$COMP_WORDBREAKS" "${COMP_LINE:0:COMP_POINT}" 2>/dev/null
    )
}
complete -o default -o nosort -F _raykit raykit
"""

ZSH = r"""#compdef raykit
# raykit in zsh, below compinit:  source <(raykit completion zsh)
_raykit() {
    local line
    local -a values shown
    while IFS= read -r line; do
        values+=("${line%%$'\t'*}")
        shown+=("${line/$'\t'/  -- }")
    done < <(
        ${~words[1]} __complete zsh "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null
    )
    if (( $#values )); then
        compadd -V raykit -l -d shown -a values
    else
        _files
    fi
}
if [[ $funcstack[1] == _raykit ]]; then
    _raykit "$@"
else
    compdef _raykit raykit
fi
"""

FISH = r"""# raykit in fish:  raykit completion fish | source
function __raykit_complete
    set -l words (commandline -opc)
    set -l program $words[1]
    set -e words[1]
    set -l candidates ($program __complete fish $words (commandline -ct) 2>/dev/null)
    if test (count $candidates) -gt 0
        printf '%s\n' $candidates
    else
        __fish_complete_path (commandline -ct)
    end
end
complete -c raykit -f -k -a '(__raykit_complete)'
"""

SCRIPTS = {Shell.bash: BASH, Shell.zsh: ZSH, Shell.fish: FISH}
