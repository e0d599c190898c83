#!/usr/bin/env bash
# Installs what sluice needs to be built and tested on Debian 12. The one list
# of packages. Prints nothing and changes nothing when all of them are there.
set -euo pipefail

packages=(
  # Tools.
  g++ clang cmake ninja-build ccache pkg-config clang-format clang-tidy sqlite3
  # Libraries.
  libcaf-dev libfmt-dev libexpected-dev libxxhash-dev libzstd-dev libsqlite3-dev
  libpq-dev libcli11-dev nlohmann-json3-dev rapidjson-dev librocksdb-dev
  # Tests.
  doctest-dev librapidcheck-dev libbenchmark-dev doxygen
  postgresql-15 postgresql-15-wal2json
)

missing=()
for package in "${packages[@]}"; do
  # dpkg-query fails for a package that dpkg has never heard of.
  state=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null) ||
    state=unknown
  [[ $state == installed ]] || missing+=("$package")
done
[[ ${#missing[@]} -eq 0 ]] && exit 0

root=()
if [[ $EUID -ne 0 ]]; then
  root=(sudo)
fi
echo "Installing: ${missing[*]}"
"${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -q

# PostgreSQL's package makes a cluster and starts it, unless it is told not to
# before. Tests make their own. What somebody has set there stays.
if [[ " ${missing[*]} " == *" postgresql-15 "* ]]; then
  conf=/etc/postgresql-common/createcluster.conf
  [[ -e $conf ]] || "${root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -q -y --no-install-recommends postgresql-common
  "${root[@]}" sed -i \
    's/^#create_main_cluster *=.*/create_main_cluster = false/' "$conf"
fi
"${root[@]}" env DEBIAN_FRONTEND=noninteractive \
  apt-get install -q -y --no-install-recommends "${missing[@]}"
