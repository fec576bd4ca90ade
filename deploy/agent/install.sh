#!/bin/sh
# Installs the Gwanje agent on this machine and enrols it. The server fills in what stands between @ signs.
#
#   curl -fsSL 'https://gwanje.example/install.sh?token=gwe_…' | sh
#   curl -fsSL https://gwanje.example/install.sh | GWANJE_TOKEN=gwe_… sh      # no token in any process's arguments
#   … | sh -s -- --name till-7         # another name than the machine's own
#   … | sh -s -- --prefix "$HOME/gwanje"      # everything below one folder, no service: for an ordinary user
#
# GWANJE_TOKEN, GWANJE_NAME and GWANJE_PREFIX say the same; with GWANJE_UPDATE=auto the agent takes up newer versions by itself. Once more, it brings the server's agent and keeps the key and the policy.
set -eu
umask 077

server='@SERVER@'
sha256='@SHA256@'
# By which newer versions must be signed; empty where this server's agent is not signed.
update_key='@UPDATE_KEY@'
token=${GWANJE_TOKEN:-'@TOKEN@'}
name=${GWANJE_NAME:-$(uname -n)}
prefix=${GWANJE_PREFIX:-}
update=${GWANJE_UPDATE:-off}

say() { printf '%s\n' "$*"; }
fail() {
  printf 'gwanje: %s\n' "$*" >&2
  exit 1
}

# Called in the last line: of a script that arrived in part, nothing runs.
main() {
  while [ $# -gt 0 ]; do
    case $1 in
      --name | --prefix) [ $# -ge 2 ] || fail "$1 needs a value" ;;
      *) fail "there is no option $1: --name NAME, --prefix DIR" ;;
    esac
    if [ "$1" = --name ]; then name=$2; else prefix=$2; fi
    shift 2
  done
  case $update in off | auto) ;; *) fail 'GWANJE_UPDATE must be off or auto' ;; esac
  [ "$update" = off ] || [ -n "$update_key" ] || fail 'the agent of this server is not signed: it cannot be updated by itself'
  place
  requirements
  download
  if [ -f "$settings" ]; then
    grep -qF "SERVER_URL='$server'" "$settings" || fail "$settings belongs to another server; remove it to enrol here"
    say "This machine is enrolled already: its key stays as it is."
  else
    enrol
  fi
  [ -f "$policy" ] || say '{}' > "$policy"
  start
}

# Where everything goes.
place() {
  case $prefix in
    '') [ "$(id -u)" = 0 ] || fail 'run it as root, or give it a folder of your own: --prefix DIR' ;;
    *[\'\\]* | *'
'*) fail 'the prefix must have no quotes, backslashes or line ends' ;;
    /*) ;;
    *) prefix=$PWD/$prefix ;;
  esac
  program=$prefix/opt/gwanje-agent/agent.js
  settings=$prefix/etc/gwanje/agent.env
  policy=$prefix/etc/gwanje/policy.json
  trusted=$prefix/etc/gwanje/update-key.pem
  data=$prefix/var/lib/gwanje-agent
  (umask 022 && mkdir -p "${program%/*}" "${settings%/*}" "${data%/*}")
  mkdir -p "$data"
  work=$(mktemp -d "${program%/*}/.install.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  trap 'exit 1' HUP INT TERM
}

requirements() {
  command -v curl > /dev/null || fail 'curl is not installed'
  node=$(command -v node) || fail 'Node.js is not installed: 20.19 or newer, from https://nodejs.org or your system'
  "$node" -e 'const [major, minor] = process.versions.node.split(".").map(Number); process.exit(major > 20 || (major === 20 && minor >= 19) ? 0 : 1)' ||
    fail "Node.js is too old: $("$node" --version), and not 20.19 or newer"
}

# Only what the server announced in this script is kept, and only when it runs here.
download() {
  curl -fsS "$server/api/agent/bundle" -o "$work/agent.js" || fail "$server does not give out the agent"
  got=$("$node" -e 'console.log(crypto.createHash("sha256").update(fs.readFileSync(process.argv[1])).digest("hex"))' "$work/agent.js")
  [ "$got" = "$sha256" ] || fail "what came is not the agent that was announced: SHA-256 $got, and not $sha256"
  version=$(AGENT_DATA_DIR="$work" "$node" "$work/agent.js" --version) || fail 'the agent does not run on this machine'
  chmod 644 "$work/agent.js"
  mv -f "$work/agent.js" "$program"
}

# The token and the key go through standard input and output alone: everybody on the machine sees arguments.
enrol() {
  [ -n "$token" ] || fail 'there is no enrolment token: GWANJE_TOKEN=gwe_…'
  case $token$name in *[\"\\]*) fail 'the token and the name must have no quotes or backslashes' ;; esac
  key=$(
    curl -sS "$server/api/enrol" -H 'Content-Type: application/json' --data @- << END | "$node" -e '
      const answer = JSON.parse(fs.readFileSync(0, "utf8") || "{}");
      if (answer.clientKey) console.log(answer.clientKey);
      else console.error(`gwanje: not enrolled: ${answer.detail ?? "the server did not answer"}`);
      process.exitCode = answer.clientKey ? 0 : 1;'
{"token":"$token","name":"$name","platform":"$(uname -s)"}
END
  ) || exit 1
  cat > "$work/agent.env" << END
SERVER_URL='$server'
CLIENT_KEY='$key'
AGENT_DATA_DIR='$data'
AGENT_POLICY='$policy'
END
  if [ -n "$update_key" ]; then
    [ -f "$trusted" ] || say "$update_key" > "$trusted"
    chmod 644 "$trusted"
    printf "UPDATE='%s'\nAGENT_UPDATE_KEY='%s'\n" "$update" "$trusted" >> "$work/agent.env"
  fi
  mv "$work/agent.env" "$settings"
  say "Enrolled as $name."
}

start() {
  if [ -n "$prefix" ]; then
    by_hand
  elif [ -d /run/systemd/system ]; then
    with_systemd
  elif [ "$(uname -s)" = Darwin ]; then
    with_launchd
  else
    by_hand
  fi
}

by_hand() {
  say "The agent $version is installed. Start it with:"
  say "  '$node' --env-file='$settings' '$program'"
}

with_systemd() {
  id gwanje-agent > /dev/null 2>&1 || useradd --system --user-group --home-dir "$data" --no-create-home --shell /usr/sbin/nologin gwanje-agent
  chown gwanje-agent:gwanje-agent "$data"
  chmod 644 "$policy"
  runuser -u gwanje-agent -- "$node" --version > /dev/null || fail "the user gwanje-agent cannot run $node: install Node.js for everybody"
  sed "s|/usr/bin/node|$node|" > /etc/systemd/system/gwanje-agent.service << 'END'
@SYSTEMD_UNIT@
END
  chmod 644 /etc/systemd/system/gwanje-agent.service
  systemctl daemon-reload
  systemctl enable --quiet gwanje-agent
  systemctl restart gwanje-agent
  say "The agent $version runs as the service gwanje-agent. Its log: journalctl -u gwanje-agent"
}

with_launchd() {
  plist=/Library/LaunchDaemons/gwanje.agent.plist
  sed "s|/usr/local/bin/node|$node|" > "$plist" << 'END'
@LAUNCHD_PLIST@
END
  chmod 644 "$plist"
  launchctl bootout system/gwanje.agent 2> /dev/null || true
  launchctl bootstrap system "$plist"
  say "The agent $version runs as the service gwanje.agent. Its log: /var/log/gwanje-agent.log"
}

main "$@"
