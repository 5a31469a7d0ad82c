#!/usr/bin/env bash
# Runs the Dockerfile's build steps without Docker: the stages that lead to a
# target, in order, with COPY from the repository and RUN in a scratch directory.
# Then it looks whether the result is what the image promises: a static binary that
# starts. usage: deploy/check/dockerfile.sh target binary
set -euo pipefail
cd "$(dirname "$0")/../.."
target=$1 binary=$2
root=$PWD work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

declare -A base commands
stage=
while IFS= read -r line || [ -n "$line" ]; do
  while [[ $line == *\\ ]]; do IFS= read -r more; line="${line%\\}${more}"; done
  set -f; words=($line); set +f
  case ${words[0]:-} in
    FROM) stage=${words[3]}; base[$stage]=${words[1]}; commands[$stage]= ;;
    '' | '#'*) ;;
    *) commands[$stage]+="$line"$'\n' ;;
  esac
done < deploy/Dockerfile

out=$work/image; mkdir -p "$out" "$work/src"
VERSION=check:unknown

step() { # one instruction of a build stage, in the source directory
  local words; set -f; words=($1); set +f
  case ${words[0]} in
    COPY)
      [ "${words[1]}" = . ] && { git -C "$root" ls-files -z --cached --others --exclude-standard | (cd "$root" && xargs -0 -I{} sh -c 'test -f "$1" && cp --parents "$1" "$2"' _ {} "$work/src"); return; }
      (cd "$root" && cp "${words[@]:1:${#words[@]}-2}" "$work/src/") ;;
    RUN) (cd "$work/src" && export VERSION && eval "${1#RUN }" | sed "s#^#  #") ;;
    ENV) for pair in "${words[@]:1}"; do export "${pair?}"; done ;;
    ARG | WORKDIR) ;;
    *) echo "do not know: $1"; exit 1 ;;
  esac
}

stages() { # a build stage, after the one it is based on
  [ -n "${commands[${base[$1]}]+x}" ] && stages "${base[$1]}"
  while IFS= read -r line; do [ -z "$line" ] || { echo "$1: $line"; step "${line//\/out\//$work/out/}"; }; done <<< "${commands[$1]}"
}

mkdir -p "$work/out"
[ "${base[$target]}" = scratch ] || { echo "$target is not based on an empty image"; exit 1; }
while IFS= read -r line; do
  set -f; words=($line); set +f
  if [ "${words[0]:-}" = COPY ]; then
    from=${words[1]#--from=} path=${words[-2]}
    case $from in
      source) test -e "$path" || { echo "no $path"; exit 1; } ;; # of the build image
      *) stages "$from"; cp -r "$work$path" "$out/" ;;
    esac
  fi
done <<< "${commands[$target]}"

file "$out/$binary" | grep -q 'statically linked' || { echo "$binary is not static:"; file "$out/$binary"; exit 1; }
grep -q '^USER 65532' <<< "${commands[$target]}" || { echo "$target runs as root"; exit 1; }
env -i "$out/$binary" --help > /dev/null
echo "$target: built, static, starts"
