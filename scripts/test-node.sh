#!/usr/bin/env bash
# Tests the Node package: its parts over acted sandboxes, then the tarball that would be published,
# installed into an empty folder, in real ones. Run by scripts/test.sh. What LAMBDA_TEST_REQUIRE does
# not list of docker and gvisor is skipped.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
ROOT=$PWD
PACKAGE=$ROOT/bindings-node
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT

say() { printf '[test-node] %s\n' "$*"; }

cd "$PACKAGE"
[ -d node_modules ] || npm ci --no-audit --no-fund

say "building, with acted sandboxes"
cp native.d.ts "$WORK/native.d.ts"
cp -r types "$WORK/types"
node scripts/build.mjs --fake
# The declarations are kept in the repository; they have to be what the sources say.
diff -u "$WORK/native.d.ts" native.d.ts
diff -ru "$WORK/types" types

say "tests over acted sandboxes"
LAMBDABOX_NATIVE_LIBRARY=$PACKAGE/target-fake/lambdabox.linux-$(node -p process.arch)-gnu.node \
    node --test test/*.test.js

say "building, as it is published"
node scripts/build.mjs
npm pack --silent --pack-destination "$WORK" >/dev/null

say "installing the tarball into an empty folder"
mkdir "$WORK/app"
cd "$WORK/app"
echo '{ "private": true }' >package.json
npm install --silent --no-audit --no-fund --offline "$WORK"/lambdabox-*.tgz
[ "$(node -p "require('lambdabox').Platform.name")" = Platform ]
[ "$(node --input-type=module -e "import { Platform } from 'lambdabox'; console.log(Platform.name)")" = Platform ]

say "strict types"
cp "$PACKAGE/test/types.test.ts" sample.ts
mkdir -p node_modules/@types
cp -r "$PACKAGE/node_modules/@types/node" node_modules/@types/
cp -r "$PACKAGE/node_modules/undici-types" node_modules/
"$PACKAGE/node_modules/.bin/tsc" --noEmit --strict --target es2022 --lib es2022,esnext.disposable \
    --types node --module nodenext --moduleResolution nodenext sample.ts

say "in a folder that holds nothing else"
TESTED=(fake)
case ",${LAMBDA_TEST_REQUIRE-}," in *,docker,*) TESTED+=(docker) ;; esac
NODES=here FAKE_LIBRARY=$(echo "$PACKAGE"/target-fake/*.node) \
    "$ROOT/scripts/test-release.sh" tarball "$WORK"/lambdabox-*.tgz "${TESTED[@]}"

RUNTIMES=
for runtime in docker gvisor; do
    case ",${LAMBDA_TEST_REQUIRE-}," in
    *,"$runtime",*) RUNTIMES=$RUNTIMES${RUNTIMES:+,}$runtime ;;
    *) say "skipped: $runtime, which LAMBDA_TEST_REQUIRE does not list" ;;
    esac
done
[ -n "$RUNTIMES" ] || exit 0

say "in real sandboxes: $RUNTIMES"
cp "$PACKAGE/test/sandboxes.js" .
LAMBDA_TEST_RUNTIMES=$RUNTIMES "$ROOT/scripts/with-docker.sh" node --test sandboxes.js

say "one database under a server, an application in Python and one in Node"
cargo build -p lambda-http --manifest-path "$ROOT/Cargo.toml"
cp "$PACKAGE/test/shared-store.js" .
# Where scripts/test-python.sh has installed the wheel.
[ -x "$ROOT/target/python-venv/bin/python" ] || { say "run scripts/test-python.sh before"; exit 1; }
LAMBDA_BINARY=$ROOT/target/debug/lambda LAMBDA_TEST_PYTHON=$ROOT/target/python-venv/bin/python \
    "$ROOT/scripts/with-docker.sh" "$ROOT/scripts/databases.sh" run node --test shared-store.js

say "the README's example"
# The first block that is a whole program.
awk '/^```js$/ { on = 1; next } /^```$/ { if (on) exit } on' "$PACKAGE/README.md" >readme.mjs
"$ROOT/scripts/with-docker.sh" env DATA_DIR="$WORK/readme" node readme.mjs | tee readme.out
diff readme.out - <<<'Hello, Alice!'

say "the Express example"
mkdir "$WORK/express"
cp "$ROOT"/examples/node/express/* "$WORK/express/"
mkdir "$WORK/express/node_modules"
cp -r "$PACKAGE"/node_modules/* "$WORK/express/node_modules/"
rm -rf "$WORK/express/node_modules/lambdabox"
cp -r node_modules/lambdabox "$WORK/express/node_modules/"
cd "$WORK/express"
WEBHOOK_RUNTIME=${RUNTIMES##*,} "$ROOT/scripts/with-docker.sh" node --test app.test.js
say "all passed"
