#!/bin/sh
# Packs what `make install` installs into a Debian package:
#   scripts/deb.sh BINARY OUTPUT-FOLDER [MACHINE]      (MACHINE as uname -m says it; default this one)
# One list of files, that of `make install`; Debian's own dpkg-deb, nothing to install. Prints the package's path.
# The same bytes for the same files: times are those of SOURCE_DATE_EPOCH, by default of the last commit.
set -eu
cd "$(dirname "$0")/.."
binary=$1 out=$2 machine=${3:-$(uname -m)}
case $machine in
    x86_64) arch=amd64 strip=strip readelf=readelf ;;
    aarch64) arch=arm64 strip=aarch64-linux-gnu-strip readelf=aarch64-linux-gnu-readelf ;;
    *) echo "no package for $machine" >&2; exit 64 ;;
esac
version=$(sed -n '/^\[workspace.package\]/,/^$/s/^version = "\(.*\)"/\1/p' Cargo.toml)
: "${SOURCE_DATE_EPOCH:=$(git log -1 --format=%ct 2>/dev/null || date +%s)}"
export SOURCE_DATE_EPOCH

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
chmod 755 "$root"
umask 022
make --silent install DESTDIR="$root" BIN="$binary" ARCH="$machine"
if command -v "$strip" >/dev/null; then "$strip" --strip-unneeded "$root/usr/bin/sonofuse" 2>/dev/null || true; fi
find "$root/usr/share/man" -type f -exec gzip -9n {} +
{
    printf 'sonofuse, research use only, not a medical device.\nLicence: MIT or Apache-2.0, at your choice.\n\n'
    cat LICENSE-MIT
    printf '\nApache-2.0: /usr/share/common-licenses/Apache-2.0\n'
} > "$root/usr/share/doc/sonofuse/copyright"

# Written by hand: what dpkg-shlibdeps writes on Debian 12 (libc6 >= 2.36) Ubuntu 22.04 and JetPack 6 refuse.
libc=2.35
newest=$("$readelf" -W --version-info "$root/usr/bin/sonofuse" | grep -o 'GLIBC_[0-9.]*' | sort -uV | tail -n 1)
if [ "$(printf '%s\nGLIBC_%s\n' "$newest" "$libc" | sort -V | tail -n 1)" != "GLIBC_$libc" ]; then
    echo "the binary asks for $newest, the package says libc6 (>= $libc)" >&2
    exit 1
fi
mkdir "$root/DEBIAN"
cat > "$root/DEBIAN/control" <<CONTROL
Package: sonofuse
Version: $version
Architecture: $arch
Maintainer: ${SONOFUSE_MAINTAINER:-whoever ships this package <root@localhost>}
Section: science
Priority: optional
Installed-Size: $(du -sk --apparent-size "$root" | cut -f1)
Depends: libc6 (>= $libc), libgcc-s1, libglib2.0-0 (>= 2.72) | libglib2.0-0t64, libgstreamer1.0-0 (>= 1.20.0), libgstreamer-plugins-base1.0-0 (>= 1.20.0), gstreamer1.0-plugins-base, gstreamer1.0-plugins-good, systemd (>= 249), udev
Recommends: gstreamer1.0-plugins-bad, gstreamer1.0-plugins-ugly, gstreamer1.0-libav
Suggests: v4l-utils
Description: live score for dual-view thyroid ultrasound
 Reads the video of an ultrasound scanner that shows B-mode and elastography
 beside each other, finds both views, and publishes a score with its interval,
 or says why there is none. Research use only, not a medical device.
 .
 The package neither enables nor starts the service.
CONTROL
echo /etc/sonofuse/sonofuse.toml > "$root/DEBIAN/conffiles"
install -m 755 -t "$root/DEBIAN" packaging/deb/postinst packaging/deb/prerm packaging/deb/postrm
(cd "$root" && find usr etc -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum) > "$root/DEBIAN/md5sums"
find "$root" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
mkdir -p "$out"
package="$out/sonofuse_${version}_$arch.deb"
# xz: dpkg of Debian 12 cannot read zstd.
dpkg-deb --root-owner-group -Z"${DEB_COMPRESS:-xz}" --build "$root" "$package" >&2
(cd "$out" && sha256sum "$(basename "$package")") > "$package.sha256"
echo "$package"
