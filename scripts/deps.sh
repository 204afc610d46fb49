#!/bin/sh
# Installs the Debian/Ubuntu packages that sonofuse needs and that are missing: `deps.sh run` for
# building and running, `deps.sh test` for the test suite too, `deps.sh gate` for .ci/run (NVIDIA's
# libraries come from PyPI), `deps.sh arm64` for building and running the Jetson's binary. Asks for sudo only when something is
# missing and the caller is not root.
set -eu

build="gcc libc6-dev pkg-config libgstreamer1.0-dev libgstreamer-plugins-base1.0-dev"
run="gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-libav"
# g++ compiles the CUDA kernels for the host; x264 encodes the test videos; the RTSP server and Xvfb
# stand in for a scanner and a monitor; systemd brings a real journald and `systemd-analyze`; Chromium opens the
# page, the font draws its Chinese and the panel's.
test="g++ gstreamer1.0-plugins-ugly gstreamer1.0-rtsp libgstrtspserver-1.0-dev gstreamer1.0-x xvfb systemd util-linux chromium fonts-wqy-microhei"
arm64="gcc-aarch64-linux-gnu g++-aarch64-linux-gnu qemu-user-static mmdebstrap"

case "${1:-run}" in
    run) wanted="$build $run" ;;
    test) wanted="$build $run $test" ;;
    gate) wanted="$build $run $test python3 python3-pip" ;;
    arm64) wanted="$build $run $arm64" ;;
    *) echo "usage: deps.sh [run|test|gate|arm64]" >&2; exit 64 ;;
esac

if ! command -v cargo >/dev/null 2>&1; then
    echo "cargo is not on the PATH. Install Rust 1.94 or newer (https://rustup.rs), open a new shell, and run this again." >&2
    exit 69
fi

if ! command -v dpkg-query >/dev/null 2>&1; then
    echo "This is not a Debian or Ubuntu system: make sure that the equivalents of these packages are installed:" >&2
    echo "  $wanted" >&2
    exit 0
fi

missing=
for package in $wanted; do
    # Ubuntu has it as a snap only; the tests of the page say that they are left out where there is no browser.
    if [ "$package" = chromium ] && grep -qs '^ID=ubuntu' /etc/os-release; then
        command -v chromium >/dev/null 2>&1 || echo "Chromium is not installed by this script on Ubuntu: 'snap install chromium', or the page is not tried in a browser" >&2
        continue
    fi
    state=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$state" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

as_root=
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null 2>&1 || {
        echo "Missing packages, and no sudo to install them. As root, run: apt-get install --no-install-recommends$missing" >&2
        exit 69
    }
    as_root=sudo
fi
echo "Installing:$missing"
# One failing mirror must not end the set-up: the lists that are there may do.
$as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q || echo "apt-get update failed; trying with the package lists that are there" >&2
# shellcheck disable=SC2086 # one word a package
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing
