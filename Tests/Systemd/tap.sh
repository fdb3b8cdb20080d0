# shellcheck shell=bash
# Checks with a line each, in the Test Anything Protocol. Sourced by service.sh.

passed=0
failed=0

# Runs a command; it succeeds or the check fails. $1: a sentence. Of a failed one shows what it printed.
check() {
    local sentence=$1 said
    shift
    if said=$("$@" 2>&1); then
        passed=$((passed + 1))
        echo "ok $((passed + failed)) - $sentence"
    else
        failed=$((failed + 1))
        echo "not ok $((passed + failed)) - $sentence"
        printf '%s\n' "\$ $*" "$said" | tail -n 30 | sed 's/^/#   /'
        on_failure | sed 's/^/#   /'
    fi
}

# Whether a command prints exactly $1.
is() {
    local wanted=$1 got
    shift
    got=$("$@") || true
    [ "$got" = "$wanted" ] && return
    printf 'wanted: %s\ngot:    %s\n' "$wanted" "$got"
    return 1
}

# Whether a command prints $1 somewhere.
says() {
    local wanted=$1 got
    shift
    got=$("$@" 2>&1) || true
    [[ $got == *"$wanted"* ]] && return
    printf 'wanted: %s\ngot:    %s\n' "$wanted" "$got"
    return 1
}

# Whether a command fails.
fails() {
    ! "$@"
}

# The closing lines; fails if a check did.
summary() {
    echo "1..$((passed + failed))"
    echo "$passed passed, $failed failed"
    [ "$failed" = 0 ]
}
