#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Builds the fuzz targets as OSS-Fuzz and ClusterFuzzLite want them: with the
# compiler, the flags and the engine of the environment ($CC, $CXX, $CFLAGS,
# $LIB_FUZZING_ENGINE), into $OUT, each with its options, its dictionary and
# its seeds, and the libraries that the machines of the fleet do not have.
set -euo pipefail
cd "$(dirname "$0")/../.." || exit 1
[ ! -d "${SRC:-/nonexistent}/twinax" ] || cd "$SRC/twinax"

# The engine is C++: CXX links.
cmake -S . -B "$WORK/build" -G Ninja \
    -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_C_COMPILER="$CC" \
    -DCMAKE_C_FLAGS="$CFLAGS" -DTWINAX_FUZZ=ON \
    -DTWINAX_FUZZ_ENGINE="$LIB_FUZZING_ENGINE" \
    -DCMAKE_EXE_LINKER_FLAGS="-Wl,-rpath,\\\$ORIGIN/lib" \
    -DCMAKE_C_LINK_EXECUTABLE="$CXX $CXXFLAGS <LINK_FLAGS> <OBJECTS> -o \
<TARGET> <LINK_LIBRARIES>"
ninja -C "$WORK/build" fuzz/all

mkdir -p "$OUT/lib"
for source in fuzz/fuzz_*.c; do
    target=$(basename "$source" .c)
    name=${target#fuzz_}
    cp "$WORK/build/fuzz/$target" "$OUT/"
    [ ! -f "fuzz/$name.options" ] ||
        cp "fuzz/$name.options" "$OUT/$target.options"
    [ ! -f "fuzz/$name.dict" ] || cp "fuzz/$name.dict" "$OUT/$target.dict"
    [ ! -d "fuzz/corpus/$name" ] ||
        (cd "fuzz/corpus/$name" && zip -q -FS "$OUT/${target}_seed_corpus.zip" ./*)
    ldd "$WORK/build/fuzz/$target" | awk '/lib(fdt|zstd)/ { print $3 }' |
        xargs -r cp -t "$OUT/lib"
done
