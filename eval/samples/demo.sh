# Indexes the handbook of a harbour and asks three questions that end in three ways. Run it by `make demo`.
set -eu
bin=${BIN:-.venv/bin}

show() {
    printf '\n$ selfroute'
    for word in "$@"; do
        case $word in
            *' '*) printf ' "%s"' "$word" ;;
            *) printf ' %s' "$word" ;;
        esac
    done
    printf '\n'
    "$bin/selfroute" "$@"
}

show index eval/samples/harbour.md --corpus harbour
show ask "Who approves night work?" --corpus harbour
show ask "Which certificate do officers in port control hold?" --corpus harbour
show ask "Which language do linesmen speak with foreign crews?" --corpus harbour
