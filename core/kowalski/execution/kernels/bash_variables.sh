# What a session of Bash holds, in the kernel's own shell; bash_kernel.sh takes this in.

__k_variables() { # the names that the user made, as a JSON array
    local IFS=$' \n' __k_name __k_attributes __k_kind __k_preview __k_list= __k_count=0
    for __k_name in $(compgen -v); do
        if [[ $__k_known == *" $__k_name "* || $__k_name == __k_* || $__k_name == FUNCNAME || $__k_inputs == *" $__k_name "* ]]; then
            continue
        fi
        __k_attributes=${!__k_name@a}
        case $__k_attributes in
        *a*) __k_kind=array __k_preview=$(declare -p "$__k_name" 2>&1) __k_preview=${__k_preview#*=} ;;
        *A*) __k_kind="associative array" __k_preview=$(declare -p "$__k_name" 2>&1) __k_preview=${__k_preview#*=} ;;
        *i*) __k_kind=integer __k_preview=${!__k_name-} ;;
        *) __k_kind=string __k_preview=${!__k_name-} ;;
        esac
        __k_quoted "${__k_preview:0:80}"
        __k_list+="${__k_list:+,}{\"name\":\"$__k_name\",\"type\":\"$__k_kind\",\"preview\":$__k_json}"
        if ((++__k_count >= 200)); then break; fi
    done
    for __k_name in $(compgen -A function); do
        if ((__k_count >= 200)); then break; fi
        if [[ $__k_name == __k_* || $__k_name == exit || $__k_name == trap || $__k_functions == *" $__k_name "* ]]; then
            continue
        fi
        __k_quoted "$__k_name()"
        __k_list+="${__k_list:+,}{\"name\":${__k_json/()/},\"type\":\"function\",\"preview\":$__k_json}"
        ((++__k_count))
    done
    __k_send variables "[$__k_list]"
}
