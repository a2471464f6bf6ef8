#!/usr/bin/env bash
# Have a text spoken by edge_tts and wait until it was said. docs/recipes.md tells of it.
#
#   say.sh [-p PRIORITY] [-v VOICE] [-l VOLUME] TEXT…      or the text on standard input
#
# Status: 0 said; 1 not said, standard error has why; 2 wrongly called. EDGE_TTS_URL names the box, EDGE_TTS_TOKEN is its
# http.token.
set -euo pipefail

url=${EDGE_TTS_URL:-http://127.0.0.1:8765}
query='wait=finished'

usage() {
    sed -n '4s/^# *//p' "$0" >&2
    exit 2
}

encoded() { # $1 as it may stand in an address
    local LC_ALL=C text=$1 i character
    for ((i = 0; i < ${#text}; i++)); do
        character=${text:i:1}
        case $character in
        [a-zA-Z0-9._-]) printf '%s' "$character" ;;
        *) printf '%%%02X' "'$character" ;;
        esac
    done
}

while getopts p:v:l: option; do
    case $option in
    p) query+="&priority=$(encoded "$OPTARG")" ;;
    v) query+="&voice=$(encoded "$OPTARG")" ;;
    l) query+="&volume=$(encoded "$OPTARG")" ;;
    *) usage ;;
    esac
done
shift $((OPTIND - 1))

# The text as it is, so that nothing in it needs quotes.
if (($#)); then text=$*; else text=$(cat); fi
headers=(-H 'Content-Type: text/plain; charset=utf-8')
if [[ -n ${EDGE_TTS_TOKEN:-} ]]; then headers+=(-H "Authorization: Bearer $EDGE_TTS_TOKEN"); fi

# --data-binary @-: a text may begin with @, and has its line ends.
if ! answer=$(printf '%s' "$text" | curl --silent --show-error "${headers[@]}" --data-binary @- "$url/api/say?$query"); then
    exit 1
fi
if [[ $answer != *'"event_type": "finished"'* ]]; then
    printf '%s\n' "$answer" >&2
    exit 1
fi
