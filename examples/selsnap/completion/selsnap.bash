# SPDX-License-Identifier: Apache-2.0
# Completion of selsnap in bash. What may come next is told by 'selsnap complete'; here it is only put in bash's way.

_selsnap() {
    local rest=${COMP_LINE:0:COMP_POINT} words=() blanks word cut line i
    # bash cuts words at = and : too; here they are put together again where no blank is between.
    for ((i = 0; i <= COMP_CWORD; i++)); do
        blanks=${rest%%[![:blank:]]*}
        rest=${rest#"$blanks"}
        word=${COMP_WORDS[i]}
        ((i < COMP_CWORD)) || word=$rest
        rest=${rest#"$word"}
        if [[ -n $blanks || $i == 0 ]]; then
            words+=("$word")
        else
            words[${#words[@]} - 1]+=$word
        fi
    done
    word=${words[${#words[@]} - 1]}
    # What bash has cut off before the last word, it does not want to see again.
    cut=
    [[ $COMP_WORDBREAKS == *=* && $word == *=* ]] && cut=${word%"${word##*=}"}
    [[ $COMP_WORDBREAKS == *:* && ${word#"$cut"} == *:* ]] && cut=${word%"${word##*:}"}
    local quoted=
    [[ $word == [\'\"]* ]] && quoted=yes
    for ((i = 1; i < ${#words[@]}; i++)); do
        words[i]=${words[i]//\\/}
        [[ ${words[i]} == [\'\"]* ]] && words[i]=${words[i]:1} && words[i]=${words[i]%[\'\"]}
        [[ ${words[i]} == '~/'* ]] && words[i]=$HOME/${words[i]:2}
    done
    COMPREPLY=()
    while IFS= read -r line; do
        if [[ $line == :files ]]; then
            compopt -o filenames 2>/dev/null
            while IFS= read -r line; do
                COMPREPLY+=("$line")
            done < <(compgen -f -- "${word#"$cut"}")
            return
        fi
        line=${line%%$'\t'*}
        [[ -n $quoted ]] || printf -v line %q "$line"
        [[ -n $quoted ]] || line=${line#"$cut"}
        COMPREPLY+=("$line")
    done < <("$1" complete "${words[@]:1}" 2>/dev/null </dev/null)
}
complete -F _selsnap selsnap
