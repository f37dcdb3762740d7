#!/usr/bin/env bash
# Builds the real parts of Kubernetes that tests run against, once, outside the clone: a control
# plane (etcd, API server, controller manager, scheduler, kubectl), the KubeRay operator with its
# CustomResourceDefinitions, kwok (nodes without machines) with its stages, and Helm.
# Nothing is built when nothing has changed.
set -euo pipefail
cd "$(dirname "$0")"

# The first of these that the module proxy gives: proxy.golang.org knows of 1.7.0, and some
# mirrors of it withhold the module itself.
kuberay="v1.7.0 v1.6.2"
kwok=v0.8.0
helm=v4.3.1
# Kubernetes, and the etcd that belongs to it.
kubernetes="$(sed -n 's/^\tk8s.io\/kubernetes //p' control-plane/go.mod)"

target="${RAYPLAT_TEST_TOOLS:-${RAYPLAT_CI_CACHE:-$HOME/.cache/rayplat}/kubernetes}"
stamp="$(cat install.sh volumes.yaml control-plane/go.mod control-plane/go.sum control-plane/*.go | sha256sum | cut -d' ' -f1)"
if [ "$(cat "$target/stamp" 2>/dev/null)" = "$stamp" ]; then
  echo "kubernetes tools: $target is up to date"
  exit 0
fi
wanted="$(sed -n 's/^go //p' control-plane/go.mod)"
if ! command -v go >/dev/null; then
  echo "kubernetes tools: Go $wanted or newer is needed to build them (https://go.dev/dl/)" >&2
  exit 1
fi
have="$(go env GOVERSION)"
have="${have#go}"
if [ "$(go env GOTOOLCHAIN)" = local ] && [ "$(printf '%s\n' "$wanted" "$have" | sort -V | head -n 1)" != "$wanted" ]; then
  echo "kubernetes tools: Go $wanted or newer is needed to build them; this is $have (https://go.dev/dl/)" >&2
  exit 1
fi

export CGO_ENABLED=0 GOFLAGS="-trimpath -buildvcs=false" GOWORK=off
mkdir -p "$(dirname "$target")"
new="$(mktemp -d "$target.XXXXXX")"
trap 'rm -rf "$new"' EXIT
mkdir "$new/bin" "$new/crds"

# What the API server and kubectl say that they are. Without it they are of version 0.0.0.
minor="${kubernetes#v1.}"
named=k8s.io/component-base/version
version="-X $named.gitVersion=$kubernetes -X $named.gitMajor=1 -X $named.gitMinor=${minor%%.*}"

build() { # name, folder, package, more flags for the linker
  echo "kubernetes tools: building $1"
  (cd "$2" && go build -ldflags "-s -w ${4:-}" -o "$new/bin/$1" "$3")
}

# The folder of the first of these versions that can be had.
module() { # path, versions
  local path=$1 one folder
  shift
  for one in "$@"; do
    # The answer to what cannot be had is JSON too, with the reason.
    folder="$(go mod download -json "$path@$one" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')" || true
    if [ -n "$folder" ]; then
      echo "$path $one" >>"$new/versions"
      echo "$folder"
      return
    fi
    echo "kubernetes tools: $path $one cannot be downloaded" >&2
  done
  go mod download "$path@$one" >&2 || true
  return 1
}

# Others' programs are built as their own modules say, so that their versions do not meet.
echo "k8s.io/kubernetes $kubernetes" >"$new/versions"
build control-plane control-plane . "$version"
ln -s control-plane "$new/bin/kubectl"
# shellcheck disable=SC2086 # several versions
folder="$(module github.com/ray-project/kuberay/ray-operator $kuberay)"
build kuberay "$folder" .
cp "$folder"/config/crd/bases/*.yaml "$new/crds/"
folder="$(module sigs.k8s.io/kwok $kwok)"
build kwok "$folder" ./cmd/kwok
for stage in node/fast/node-initialize pod/fast/pod-ready pod/fast/pod-complete pod/fast/pod-delete; do
  cat "$folder/kustomize/stage/$stage.yaml"
  echo ---
done >"$new/stages.yaml"
cat volumes.yaml >>"$new/stages.yaml"
folder="$(module helm.sh/helm/v4 $helm)"
build helm "$folder" ./cmd/helm
chmod -R u+w "$new"
chmod 755 "$new"

echo "$stamp" >"$new/stamp"
old="$(mktemp -d "$target.XXXXXX")"
[ ! -e "$target" ] || mv -T "$target" "$old"
mv -T "$new" "$target"
rm -rf "$old"
trap - EXIT
sed 's/^/kubernetes tools: /' "$target/versions"
echo "kubernetes tools: built into $target"
