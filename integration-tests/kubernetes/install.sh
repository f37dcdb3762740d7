#!/usr/bin/env bash
# Builds the real parts of Kubernetes that tests run against, once, outside the clone: a control
# plane (etcd, API server, controller manager, scheduler, kubectl), the KubeRay operator with its
# CustomResourceDefinitions, kwok (nodes without machines) and Helm.
set -euo pipefail
cd "$(dirname "$0")"

# 1.7.0 is not served by every module proxy; its API is the same as far as our objects go.
kuberay=v1.6.2
kwok=v0.8.0
helm=v4.3.1
# Kubernetes and etcd: control-plane/go.mod.

target="${RAYPLAT_TEST_TOOLS:-${RAYPLAT_CI_CACHE:-$HOME/.cache/rayplat}/kubernetes}"
stamp="$(cat install.sh control-plane/go.mod control-plane/go.sum control-plane/*.go | sha256sum | cut -d' ' -f1)"
if [ "$(cat "$target/stamp" 2>/dev/null)" = "$stamp" ]; then
  echo "kubernetes tools: $target is up to date"
  exit 0
fi
wanted="$(sed -n 's/^go //p' control-plane/go.mod)"
if ! command -v go >/dev/null; then
  echo "kubernetes tools: Go $wanted or newer is needed (https://go.dev/dl/)" >&2
  exit 1
fi

export CGO_ENABLED=0 GOFLAGS="-trimpath -buildvcs=false"
mkdir -p "$(dirname "$target")"
new="$(mktemp -d "$target.XXXXXX")"
trap 'rm -rf "$new"' EXIT
mkdir "$new/bin" "$new/crds"

build() { # what, folder, package
  echo "kubernetes tools: building $1"
  (cd "$2" && go build -ldflags '-s -w' -o "$new/bin/$1" "$3")
}

build control-plane control-plane .
# Others' programs are built by modules of their own, so that their versions do not meet.
for program in "kuberay github.com/ray-project/kuberay/ray-operator $kuberay ." \
  "kwok sigs.k8s.io/kwok $kwok ./cmd/kwok" "helm helm.sh/helm/v4 $helm ./cmd/helm"; do
  read -r name module version package <<<"$program"
  folder="$(go mod download -json "$module@$version" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')"
  [ -n "$folder" ] || { echo "kubernetes tools: $module $version cannot be downloaded" >&2; exit 1; }
  build "$name" "$folder" "$package"
  [ "$name" != kuberay ] || cp "$folder"/config/crd/bases/*.yaml "$new/crds/"
done
chmod -R u+w "$new"

echo "$stamp" >"$new/stamp"
rm -rf "$target"
mv "$new" "$target"
trap - EXIT
echo "kubernetes tools: built into $target"
