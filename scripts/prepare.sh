#!/bin/sh
# Makes sure that what the build needs is here: cargo, a C++20 compiler, make,
# and libclang with its own headers, which the bindings to RocksDB are generated
# with. What is missing is installed through apt where that needs no question
# (as root, or with sudo that asks for nothing); otherwise the one command to
# type is printed. `prepare.sh components` looks for rustfmt and clippy instead.
#
# It sets no environment variable: one that came and went between two runs would
# have RocksDB compiled again.
set -eu

say() { printf 'prepare: %s\n' "$*" >&2; }
fail() { say "$@"; exit 1; }

has() { command -v "$1" >/dev/null 2>&1; }

# True if any of the arguments, expanded by the caller's glob, exists.
any_exists() {
    for path in "$@"; do
        [ -e "$path" ] && return 0
    done
    return 1
}

# True if the directory holds a libclang that can be loaded (libclang-cpp cannot).
holds_libclang() {
    for path in "$1"/libclang.so "$1"/libclang.so.* "$1"/libclang-*.so "$1"/libclang-*.so.*; do
        case $path in *-cpp.*) continue ;; esac
        [ -e "$path" ] && return 0
    done
    return 1
}

# Looks where clang-sys looks, in its order.
libclang_found() {
    if [ -n "${LIBCLANG_PATH:-}" ]; then
        [ -f "$LIBCLANG_PATH" ] || holds_libclang "$LIBCLANG_PATH"
        return
    fi
    if prefix=$("${LLVM_CONFIG_PATH:-llvm-config}" --prefix 2>/dev/null); then
        holds_libclang "$prefix/lib" && return 0
    fi
    for directory in /usr/local/llvm*/lib* /usr/local/lib* /usr/local/lib*/* \
        /usr/lib*/*/* /usr/lib*/* /usr/lib*; do
        [ -d "$directory" ] && holds_libclang "$directory" && return 0
    done
    return 1
}

# libclang finds stddef.h beside itself, or is told the place by a clang command.
headers_found() {
    has clang && return 0
    any_exists /usr/lib/llvm-*/lib/clang/*/include/stddef.h \
        /usr/lib*/clang/*/include/stddef.h \
        /usr/local/llvm*/lib/clang/*/include/stddef.h \
        /usr/local/lib/clang/*/include/stddef.h && return 0
    [ -n "${LIBCLANG_PATH:-}" ] || return 1
    any_exists "$LIBCLANG_PATH"/clang/*/include/stddef.h \
        "${LIBCLANG_PATH%/*}"/clang/*/include/stddef.h
}

compiles_cpp20() {
    has "${CXX:-c++}" || return 1
    printf '#include <span>\n' | "${CXX:-c++}" -std=c++20 -x c++ -fsyntax-only - >/dev/null 2>&1
}

# Prints the words that run a command as root without a question, or fails.
root_prefix() {
    if [ "$(id -u)" -eq 0 ]; then
        echo 'env'
    elif has sudo && sudo -n true 2>/dev/null; then
        echo 'sudo -n env'
    else
        return 1
    fi
}

install_packages() {
    has apt-get || fail "missing: $*. Install what your system calls these packages, then try again."
    as_root=$(root_prefix) || fail "missing: $*. Type:  sudo apt-get install -y $*"
    say "installing $*"
    apt="$as_root DEBIAN_FRONTEND=noninteractive apt-get -q -y"
    # shellcheck disable=SC2086 # the words of $apt are meant to be split
    $apt install --no-install-recommends "$@" </dev/null >&2 ||
        { $apt update </dev/null >&2 && $apt install --no-install-recommends "$@" </dev/null >&2; } ||
        fail "apt could not install: $*. Type:  sudo apt-get update && sudo apt-get install -y $*"
}

require_components() {
    for component in fmt clippy; do
        cargo "$component" --version >/dev/null 2>&1 ||
            fail "cargo $component is missing. Type:  rustup component add rustfmt clippy"
    done
}

if ! has cargo; then
    [ -x "$HOME/.cargo/bin/cargo" ] &&
        fail "cargo is in ~/.cargo/bin but not on the PATH. Type:  . \"\$HOME/.cargo/env\""
    fail "cargo is missing. Install Rust from https://rustup.rs, then try again."
fi
if [ "${1:-}" = components ]; then
    require_components
    exit 0
fi

missing=''
has make || missing="$missing make"
compiles_cpp20 || missing="$missing g++"
libclang_found && headers_found || missing="$missing libclang-dev"
[ -z "$missing" ] && exit 0

# shellcheck disable=SC2086 # a list of package names
install_packages $missing
compiles_cpp20 || fail "${CXX:-c++} does not compile C++20; RocksDB needs GCC 11 or Clang 12 or newer."
libclang_found || fail "libclang is still not where the build looks; LIBCLANG_PATH='${LIBCLANG_PATH:-}'"
headers_found || fail "clang's own headers (stddef.h) are still missing; they come with libclang-dev."
