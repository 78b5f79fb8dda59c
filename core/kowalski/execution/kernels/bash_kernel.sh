# The Bash kernel: executes code and remembers, in one shell. Needs Bash 4.4 or newer.
#
# Frames come at descriptor 3 and go to descriptor 4; docs/architecture.md has their grammar. Names
# that begin with __k_ are the kernel's own. A block is sourced, not evaluated, because a sourced
# script can be left from any depth: once __k_leave was called, a DEBUG trap that returns 2 makes
# the shell return from every function and from the script itself. So `exit`, `set -e` and an
# interrupt end the block, and the shell with its state lives on. What ends the shell nevertheless,
# such as an unset variable under `set -u`, arrives at the EXIT trap: it writes the state down and
# lets a new shell take its place, in the same process.
#
# Bash cannot keep descriptors from the programs that it starts: they inherit the kernel's.
# Between a block's arrival and `done` is only what cannot wait: all is slow after an idle moment.

if ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] < 404)); then
    echo "Bash $BASH_VERSION is too old: 4.4 or newer is needed." >&2
    exit 1
fi
if [[ ${1-} ]]; then
    # The state of the shell that was here before; of what cannot be set again, none is the user's.
    # shellcheck disable=SC1091 -- written by __k_last
    source "$1/.state" 2>/dev/null
    __k_again=1
else
    exec {__k_in}<&3 {__k_out}>&4 3<&- 4>&- {__k_stdin}<&0 {__k_stdout}>&1 {__k_stderr}>&2
    exec {__k_null}>/dev/null
    __k_again=
    __k_bash=$BASH
    __k_main=${BASH_SOURCE[0]}
    # shellcheck disable=SC1091 -- beside this file
    source "${BASH_SOURCE[0]%/*}/bash_variables.sh"
    __k_folder=${TMPDIR:-/tmp}/bash.$$
    __k_functions=" "
    __k_inputs=" "
    __k_lock=
    __k_calls=0
    __k_trace=
    __k_program=
    # Arrays, because no program that a block starts inherits them, even with `set -a`.
    __k_all=() __k_code=()
    __k_own=()
    __k_told=
    __k_final=
    __k_called=bash
    __k_file=$__k_folder/"<code>"
    __k_usual="6 0 <code>"
fi
__k_pid=$BASHPID
__k_running=
__k_leaving=
__k_old_debug=
__k_at_exit=
__k_asking=

__k_send() { # KIND FIELD...: send one frame, at once: who sends it may be killed
    local LC_ALL=C IFS= header=$1 field
    shift
    for field in "$@"; do header+=" ${#field}"; done
    builtin printf '%s\n%s' "$header" "$*" >&"$__k_out"
}

__k_receive() { # read one frame into __k_kind and __k_fields
    local LC_ALL=C IFS=' ' lengths
    # Nothing is lost if an interrupt strikes before the first character, and only then.
    __k_first=
    if [[ $__k_asking && $__k_leaving ]]; then return 1; fi
    __k_take "$__k_in" __k_first
    builtin read -r -u "$__k_in" __k_kind lengths || builtin exit 0
    __k_kind=$__k_first$__k_kind
    # shellcheck disable=SC2086 -- numbers
    __k_unpack $lengths
}

__k_unpack() { # LENGTH...: read a frame's fields, where characters are bytes
    local IFS=+ length at=0 all
    length=$(($*))
    if ((length)); then
        builtin read -r -N "$length" -u "$__k_in" all || builtin exit 0
    fi
    __k_fields=()
    for length in "$@"; do
        __k_fields+=("${all:at:length}")
        at=$((at + length))
    done
}

__k_take() { # FD NAME: take one character, however long it takes to come
    # A signal between Bash's last look for one and its wait is only seen when the wait is over.
    until builtin read -r -t 1 -N 1 -u "$1" "$2"; do
        if (($? <= 128)); then builtin exit 0; fi
    done
}

__k_leave() { # STATUS: end the block from wherever it is
    __k_leaving=1
    __k_status=$1
    __k_old_debug=$(builtin trap -p DEBUG)
    shopt -s extdebug
    set -T
    builtin trap '[[ ${BASH_SOURCE[0]} == "$__k_main" ]] || __k_two "$LINENO"' DEBUG
}

__k_two() { # LINE: to a DEBUG trap, a command to return
    if [[ ! $__k_line && ${BASH_SOURCE[1]} == "$__k_file" ]]; then __k_line=$1; fi
    return 2
}

__k_arrive() { # the block has been left: undo what left it
    builtin trap - DEBUG
    # Leaving extdebug resets both ways of inheriting traps.
    shopt -u extdebug
    set +T -E
    if [[ $__k_old_debug ]]; then eval "builtin $__k_old_debug"; fi
    __k_leaving=
}

__k_locate() { # find the line of the block that the caller's caller is at
    local depth
    __k_line=
    for ((depth = 2; depth < ${#BASH_SOURCE[@]}; depth++)); do
        if [[ ${BASH_SOURCE[depth]} == "$__k_file" ]]; then
            __k_line=${BASH_LINENO[depth - 1]}
            break
        fi
    done
}

exit() { # as the builtin, but the session lives on
    {
        local status=$?
        if [[ $BASHPID != "$__k_pid" || ! $__k_running ]]; then builtin exit "${1:-$status}"; fi
        __k_locate
        # What failed before is not why it ends here.
        __k_command=
        __k_leave "$((${1:-$status} & 255))"
    } 2>/dev/null
}

trap() { # as the builtin, but the program's trap on EXIT runs when the block ends that set it
    local action name
    local -a others=()
    if [[ ${1-} == -- ]]; then shift; fi
    if [[ $BASHPID != "$__k_pid" || ! $__k_running || $# -lt 2 || $1 == -[lp]* ]]; then
        builtin trap "$@"
        return
    fi
    action=$1
    shift
    for name in "$@"; do
        case $name in
        0 | [Ee][Xx][Ii][Tt] | [Ss][Ii][Gg][Ee][Xx][Ii][Tt]) __k_at_exit=${action#-} ;;
        *) others+=("$name") ;;
        esac
    done
    if ((${#others[@]})); then builtin trap -- "$action" "${others[@]}"; fi
}

__k_failed() { # STATUS COMMAND: on ERR, remember where; with `set -e`, end the block
    if [[ $BASHPID != "$__k_pid" || ! $__k_running || ($__k_leaving && $__k_line) ]]; then return; fi
    if ((${#BASH_SOURCE[@]} < 3)); then return; fi
    __k_blamed=$1
    # In a pipeline, whose commands run elsewhere, it is the command before.
    __k_command=${2#'builtin source "$__k_file"'}
    if [[ $__k_command == return* || ${BASH_SOURCE[1]} == "$__k_main" ]]; then __k_command=; fi
    __k_locate
    if [[ $- == *e* && ! $__k_leaving ]]; then
        set +e
        __k_errexit=1
        __k_leave "$1"
    fi
}

__k_interrupted() { # on INT
    if [[ $BASHPID != "$__k_pid" ]]; then builtin exit 130; fi
    if [[ $__k_running ]]; then
        # Waits for an answer and other reads go on after a trap. An error that ends the shell ends
        # them, and leaves the functions that are under way, with their local variables.
        if [[ (! $__k_asking && $__k_signalled) || ($__k_asking && ! $__k_first) ]]; then
            __k_signalled=1
            : "${__k_nothing:?}"
        fi 2>/dev/null
        __k_signalled=1
        __k_line=
        __k_leave 130
    fi
}

__k_quoted() { # TEXT: as a JSON string, into __k_json
    local text=$1 code character escaped
    text=${text//\\/\\\\}
    text=${text//\"/\\\"}
    text=${text//$'\n'/\\n}
    text=${text//$'\t'/\\t}
    text=${text//$'\r'/\\r}
    if [[ $text == *[[:cntrl:]]* ]]; then
        for ((code = 1; code < 32; code++)); do
            builtin printf -v escaped '\\u%04x' "$code"
            builtin printf -v character "\\x%02x" "$code"
            text=${text//"$character"/$escaped}
        done
    fi
    __k_json=\"$text\"
}

__k_call() { # NAME ARGUMENT...: ask the host, print the answer
    local token id arguments=
    local -a answer
    for token in "${@:2}"; do
        __k_quoted "$token"
        arguments+="${arguments:+,}$__k_json"
    done
    __k_first=
    __k_asking=1
    # One at a time: whoever holds the token may read the answer.
    __k_take "$__k_lock" token
    __k_first=-
    id=$BASHPID.$((++__k_calls))
    __k_send call "$id" "$1" "[$arguments]"
    while __k_receive; do
        # Others are for calls that were given up.
        if [[ $__k_kind == answer && ${__k_fields[0]} == "$id" ]]; then break; fi
    done
    __k_asking=
    builtin printf x >&"$__k_lock"
    if [[ $__k_leaving ]]; then return 130; fi
    answer=("${__k_fields[@]}")
    if [[ ${answer[1]} == error ]]; then
        builtin printf '%s: %s\n' "$1" "${answer[2]}" >&2
        return 1
    fi
    builtin printf '%s\n' "${answer[2]}"
}

__k_offer() { # NAME...: define the host's functions
    local name
    if (($#)); then
        # A new token for every run: who held the last one may have been killed.
        if [[ $__k_lock ]]; then exec {__k_lock}>&-; fi
        exec {__k_lock}<> <(:)
        builtin printf x >&"$__k_lock"
    fi
    for name in "$@"; do
        eval "$name() { __k_call $name \"\$@\"; }"
        __k_functions+="$name "
    done
}

__k_await() { # hear the next frame; make ready for a block if it brings one
    # An interrupt may have come when the last block was as good as over.
    if [[ $__k_leaving ]]; then __k_arrive; fi
    builtin trap __k_interrupted INT
    __k_line= __k_command= __k_blamed= __k_signalled= __k_errexit= __k_status=
    BASH_ARGV0=$__k_called
    local IFS=' '
    # The program may have made it read-only.
    if [[ ${LC_ALL-}${LC_CTYPE+${LC_CTYPE@a}} ]]; then local LC_ALL=C; else local LC_CTYPE=C; fi
    __k_take "$__k_in" __k_first
    builtin read -r -u "$__k_in" __k_kind __k_a __k_b __k_c __k_more || builtin exit 0
    if [[ $__k_first$__k_kind$__k_b == run[1-9]* && ! $__k_more ]]; then
        builtin read -r -N $((__k_a + __k_b + __k_c)) -u "$__k_in" __k_all || builtin exit 0
        __k_code=${__k_all:0:__k_a} __k_running=1
        if [[ "$__k_b $__k_c ${__k_all:__k_a}" != "$__k_usual" || ! -d $__k_folder ]]; then
            __k_name "${__k_all:__k_a:__k_b}"
            __k_equip "${__k_all:__k_a + __k_b}"
            __k_usual="$__k_b 0 ${__k_all:__k_a}"
        fi
    else
        __k_kind=$__k_first$__k_kind
        # shellcheck disable=SC2086 -- numbers
        __k_unpack $__k_a $__k_b $__k_c $__k_more
        if [[ $__k_kind != run ]]; then return; fi
        __k_code=${__k_fields[0]} __k_usual= __k_running=1
        __k_name "${__k_fields[1]}"
        __k_equip "${__k_fields[@]:2}"
    fi
    # One newline at the end, or errors there would be told of a line too many.
    builtin printf '%s\n' "${__k_code%$'\n'}" >|"$__k_file"
}

__k_name() { # LABEL: name the block's file, and call the shell by it
    __k_called=${1//\//_}
    __k_file=$__k_folder/${__k_called:-code}
    # From Bash 5.0 on this is $0, which would be the kernel's file.
    __k_called=${__k_called/#"<code>"/bash}
    BASH_ARGV0=$__k_called
    if [[ ! -d $__k_folder ]]; then command -p mkdir -p "$__k_folder"; fi
}

__k_equip() { # FUNCTIONS [NAME PATH]...: give the block its host's functions and its inputs
    # shellcheck disable=SC2086 -- names without blanks
    __k_offer $1
    while (($# > 2)); do
        builtin printf -v "$2" '%s' "$3"
        __k_inputs+="$2 "
        shift 2
    done
}

__k_conclude() { # tell how the block ended that left __k_end
    if [[ $__k_leaving ]]; then
        __k_arrive
    else
        __k_status=$__k_end
        # What failed last on its own was not the end: that was a condition, which no trap tells.
        if [[ $__k_blamed != "$__k_end" ]]; then __k_line= __k_command=; fi
    fi
    if [[ $__k_final ]] && ((!__k_status)); then
        # What the last block started ends with it, so it goes on as long as that.
        builtin wait
        if [[ $__k_leaving ]]; then __k_arrive; fi
    fi
    if [[ $__k_signalled ]]; then __k_status=130; fi
    if [[ $__k_at_exit ]]; then __k_clean_up; fi
    __k_running=
    if [[ $__k_errexit ]]; then set -e; fi
    if [[ $__k_signalled ]]; then
        __k_send error KeyboardInterrupt interrupted "$__k_line" "" ""
    elif ((__k_status)); then
        local what=${__k_command%%$'\n'*}
        __k_send error ExitStatus "${what:+$what: }exit status $__k_status" "$__k_line" "" ""
    fi
    __k_send done "$__k_status"
}

__k_clean_up() { # run the program's trap on EXIT; an `exit` in there counts
    local action=$__k_at_exit status=$__k_status line=$__k_line command=$__k_command
    __k_at_exit=
    set +e
    (builtin exit "$status")
    eval "$action"
    if [[ $__k_leaving ]]; then __k_arrive; else __k_status=$status; fi
    __k_line=$line __k_command=$command
}

__k_last() { # on EXIT: what ended the shell ended a block only
    { __k_end=$? __k_trace=${-//[!x]/} && set +x; } 2>/dev/null
    if [[ $BASHPID != "$__k_pid" || ! $__k_running ]]; then return; fi
    # Where the shell ended, some command's redirections may have been in force.
    exec <&"$__k_stdin" >&"$__k_stdout" 2>&"$__k_stderr"
    if [[ ! -d $__k_folder ]]; then command -p mkdir -p "$__k_folder"; fi
    set +o >|"$__k_folder/.options"
    # A POSIX shell would not take the kernel's functions.
    set +eu +o posix
    __k_conclude
    {
        builtin trap -p
        declare -p
        declare -f
        shopt -p
    } >|"$__k_folder/.state"
    shopt -s execfail
    exec "$__k_bash" --norc --noprofile "$__k_main" "$__k_folder"
}

builtin trap __k_interrupted INT
builtin trap __k_last EXIT
if [[ $__k_again ]]; then
    # shellcheck disable=SC1091 -- written by __k_last
    source "$__k_folder/.options"
    if [[ ! $(builtin trap -p ERR) ]]; then builtin trap '__k_failed "$?" "$BASH_COMMAND"' ERR; fi
else
    __k_known=$(compgen -v)
    __k_known=" ${__k_known//$'\n'/ } BASH_COMPAT BASH_REMATCH COLUMNS LINES OPTARG OPTIND PIPESTATUS "
    __k_known+="BASH_ARGV0 POSIXLY_CORRECT "
    builtin trap '__k_failed "$?" "$BASH_COMMAND"' ERR
    __k_send hello "$BASH_VERSION" "$__k_folder/"
fi
set -E
set --
# Twice, because a stray `break` in a block leaves the inner loop.
while :; do
    while :; do
        # A stray `break` or `continue` ended the block.
        if [[ $__k_running ]]; then __k_end=0 && __k_conclude; fi
        if [[ $__k_told ]]; then
            # A program's arguments are no others'.
            set -- "${__k_own[@]}"
            __k_program= __k_told=
        fi
        __k_await
        while [[ ! $__k_running ]]; do
            case $__k_kind in
            variables) __k_variables ;;
            last) __k_final=1 ;;
            program) __k_program=${__k_fields[0]} __k_own=("$@") __k_told=1 && set -- "${__k_fields[@]:2}" ;;
            esac
            __k_await
        done
        if [[ $__k_program ]]; then BASH_ARGV0=$__k_program; fi
        if [[ $__k_trace ]]; then set -x; fi
        builtin source "$__k_file"
        {
            # One command, since every one of them is felt.
            if [[ $((__k_end = $?))$__k_leaving$__k_final$__k_signalled$__k_at_exit == 0 && $- != *x* ]]; then
                # Most blocks simply end.
                __k_running= __k_trace=
                builtin printf 'done 1\n0' >&"$__k_out"
            else
                __k_trace=${-//[!x]/}
                set +x
            fi
        } 2>&"$__k_null"
        if [[ $__k_running ]]; then __k_conclude; fi
    done
done
