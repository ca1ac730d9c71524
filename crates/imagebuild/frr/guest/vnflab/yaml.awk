# Flattens YAML into lines `PATH<TAB>VALUE`, PATH parted by slashes, list items by number from 0.
# In a value a newline is written as \001 and a tab as \002 (which the caller takes out of the
# input first).
#
# It reads what people and tools write into cloud-init files: block and flow mappings and lists,
# plain and quoted scalars, literal and folded blocks, comments. Anchors, aliases, tags and complex
# keys are named on standard error and passed over. Every loop moves on by a line or a character,
# and depth and length are limited, so it ends on any input.

BEGIN { DEPTH_LIMIT = 32; LINE_LIMIT = 100000 }

NR <= LINE_LIMIT { sub(/\r$/, ""); line[NR] = $0; total = NR }

END {
    if (NR > LINE_LIMIT)
        complain(LINE_LIMIT, "what follows is too long and is ignored")
    at = 1
    skip_blank()
    while (at <= total && line[at] ~ /^(---|%)/) {
        if (line[at] ~ /^--- +[^ #]/) {
            sub(/^---/, "   ", line[at])
            break
        }
        at++
        skip_blank()
    }
    while (at <= total) {
        before = at
        parse_block("", 0, 0)
        skip_blank()
        if (at == before) {
            if (line[at] !~ /^(\.\.\.|---)/)
                complain(at, "cannot be read: " line[at])
            else
                break
            at++
        }
    }
}

function complain(number, text) {
    if (complaints++ < 20)
        print "line " number ": " text | "cat >&2"
}

function emit(path, value) {
    gsub(/\n/, "\001", value)
    gsub(/\t/, "\002", value)
    print path "\t" value
}

function below(path, key) { return path == "" ? key : path "/" key }

function indent_of(text) { match(text, /^ */); return RLENGTH }

function trimmed(text) { sub(/^[ \t]+/, "", text); sub(/[ \t]+$/, "", text); return text }

function skip_blank() {
    while (at <= total && line[at] ~ /^[ \t]*(#.*)?$/)
        at++
}

function is_item(text) { return text ~ /^-( |$)/ }

function is_block_header(text) { return text ~ /^[|>][-+0-9]*[ \t]*( #.*)?$/ }

# Place of the colon that ends a key at the start of the text; 0 when there is none.
function key_end(text,    first, close_at, rest) {
    first = substr(text, 1, 1)
    if (first == "\"" || first == "'") {
        close_at = quote_end(text, 1)
        if (!close_at)
            return 0
        rest = substr(text, close_at + 1)
        return match(rest, /^ *:( |$)/) ? close_at + index(rest, ":") : 0
    }
    if (first == "[" || first == "{" || first == "#")
        return 0
    if (!match(text, /:( |$)/))
        return 0
    close_at = RSTART
    return index(substr(text, 1, close_at), " #") ? 0 : close_at
}

# Place of the quote that closes the one at `from`; 0 when it stays open.
function quote_end(text, from,    quote, i, c) {
    quote = substr(text, from, 1)
    for (i = from + 1; i <= length(text); i++) {
        c = substr(text, i, 1)
        if (quote == "\"" && c == "\\")
            i++
        else if (c == quote) {
            if (quote == "'" && substr(text, i + 1, 1) == "'")
                i++
            else
                return i
        }
    }
    return 0
}

# Value of a quoted scalar, quotes included in `text`.
function unquoted(text,    quote, body, out, i, c) {
    quote = substr(text, 1, 1)
    body = substr(text, 2, length(text) - 2)
    if (quote == "'") {
        gsub(/''/, "'", body)
        return body
    }
    if (!index(body, "\\"))
        return body
    for (i = 1; i <= length(body); i++) {
        c = substr(body, i, 1)
        if (c == "\\") {
            c = substr(body, ++i, 1)
            if (c == "n") c = "\n"
            else if (c == "t") c = "\t"
            else if (c == "r") c = "\r"
            else if (c == "0" || c == "a" || c == "e" || c == "b") c = ""
            else if (c == "x" || c == "u" || c == "U") {
                complain(at, "a character given by its number is left out")
                i += (c == "x") ? 2 : (c == "u") ? 4 : 8
                c = ""
            }
        }
        out = out c
    }
    return out
}

function plain(text) {
    sub(/[ \t]+#.*$/, "", text)
    text = trimmed(text)
    return (text == "~" || text == "null") ? "" : text
}

function parse_block(path, least_indent, depth,    indent, text) {
    skip_blank()
    if (at > total)
        return
    if (line[at] ~ /^ *\t/) {
        complain(at, "is indented by a tab and is ignored")
        at++
        return
    }
    indent = indent_of(line[at])
    if (indent < least_indent)
        return
    if (depth > DEPTH_LIMIT) {
        complain(at, "is nested too deeply and is ignored")
        at++
        return
    }
    text = substr(line[at], indent + 1)
    if (is_item(text))
        parse_list(path, indent, depth)
    else if (key_end(text))
        parse_mapping(path, indent, depth)
    else if (path == "" && text ~ /^(---|\.\.\.)/)
        return
    else if (path == "" && text !~ /^[\[{]/) {
        complain(at, "is neither a key nor a list item: " text)
        at++
    } else
        parse_scalar(path, text, indent - 1, depth)
}

function parse_list(path, indent, depth,    item, text, rest, pad, child) {
    item = 0
    while (1) {
        skip_blank()
        if (at > total || indent_of(line[at]) < indent)
            return
        text = substr(line[at], indent + 1)
        if (indent_of(text) > 0) {
            complain(at, "is indented too far and is ignored")
            at++
            continue
        }
        if (!is_item(text))
            return
        rest = substr(text, 2)
        pad = indent_of(rest)
        rest = substr(rest, pad + 1)
        child = below(path, item++)
        if (rest == "" || rest ~ /^#/) {
            at++
            parse_block(child, indent + 1, depth + 1)
        } else if (is_block_header(rest)) {
            at++
            parse_text(child, rest, indent)
        } else if (is_item(rest) || key_end(rest)) {
            line[at] = sprintf("%" (indent + 1 + pad) "s", "") rest
            parse_block(child, indent + 1, depth + 1)
        } else
            parse_scalar(child, rest, indent, depth)
    }
}

function parse_mapping(path, indent, depth,    text, end, key, rest, child) {
    while (1) {
        skip_blank()
        if (at > total || indent_of(line[at]) < indent)
            return
        text = substr(line[at], indent + 1)
        if (indent == 0 && text ~ /^(---|\.\.\.)( |$)/)
            return
        end = key_end(text)
        if (indent_of(text) > 0 || is_item(text) || !end) {
            complain(at, "does not fit here and is ignored: " trimmed(text))
            at++
            continue
        }
        key = trimmed(substr(text, 1, end - 1))
        if (key ~ /^["']/)
            key = unquoted(key)
        rest = trimmed(substr(text, end + 1))
        child = below(path, key)
        if (rest ~ /^[&!]/) {
            complain(at, "anchors and tags are passed over")
            sub(/^[&!][^ ]* */, "", rest)
        }
        if (rest == "" || rest ~ /^#/) {
            at++
            skip_blank()
            if (at <= total && indent_of(line[at]) == indent && is_item(substr(line[at], indent + 1)))
                parse_list(child, indent, depth + 1)
            else if (at <= total && indent_of(line[at]) > indent)
                parse_block(child, indent + 1, depth + 1)
            else
                emit(child, "")
        } else if (is_block_header(rest)) {
            at++
            parse_text(child, rest, indent)
        } else
            parse_scalar(child, rest, indent, depth)
    }
}

# A literal or folded block; `indent` is that of the line that its header stands on.
function parse_text(path, header, indent,    fold, chomp, inner, text, blanks, started, own, deeper, was_deeper) {
    fold = (substr(header, 1, 1) == ">")
    sub(/[ \t]*#.*$/, "", header)
    chomp = (header ~ /-/) ? "strip" : (header ~ /\+/) ? "keep" : "clip"
    inner = -1
    if (match(header, /[1-9]/))
        inner = indent + substr(header, RSTART, 1)
    printf "%s\t", path
    for (; at <= total; at++) {
        text = line[at]
        if (text ~ /^ *$/ && (inner < 0 || length(text) <= inner)) {
            blanks++
            continue
        }
        own = indent_of(text)
        if (inner < 0) {
            if (own <= indent)
                break
            inner = own
        }
        if (own < inner)
            break
        text = substr(text, inner + 1)
        gsub(/\t/, "\002", text)
        deeper = (text ~ /^[ \002]/)
        if (started && fold && !deeper && !was_deeper)
            printf "%s", blanks ? "" : " "
        else if (started)
            printf "\001"
        for (; blanks > 0; blanks--)
            printf "\001"
        printf "%s", text
        started = 1
        was_deeper = deeper
    }
    if (started && chomp != "strip")
        printf "\001"
    if (chomp == "keep")
        for (; blanks > 0; blanks--)
            printf "\001"
    printf "\n"
}

# A scalar or flow value that begins with `text` on the current line and may go on below it, as
# far as lines are indented more than `indent`.
function parse_scalar(path, text, indent, depth,    first, end, start) {
    start = at++
    if (text ~ /^[&!]/) {
        complain(start, "anchors and tags are passed over")
        sub(/^[&!][^ ]* */, "", text)
    }
    first = substr(text, 1, 1)
    if (first == "*") {
        complain(start, "aliases are not read")
        return
    }
    if (first == "\"" || first == "'") {
        while (!(end = quote_end(text, 1)) && at <= total && at - start < 1000)
            text = text " " trimmed(line[at++])
        if (!end) {
            complain(start, "a quote is never closed")
            return
        }
        emit(path, unquoted(substr(text, 1, end)))
        if (substr(text, end + 1) !~ /^[ \t]*(#.*)?$/)
            complain(start, "text after a closing quote is ignored")
        return
    }
    if (first == "[" || first == "{") {
        while (!balanced(text) && at <= total && at - start < 1000)
            text = text " " plain(line[at++])
        flow = text
        place = 1
        parse_flow(path, depth + 1)
        return
    }
    text = plain(text)
    while (at <= total && line[at] !~ /^[ \t]*(#.*)?$/ && indent_of(line[at]) > indent) {
        if (key_end(trimmed(line[at]))) {
            complain(at, "does not fit here and is ignored: " trimmed(line[at]))
            at++
            continue
        }
        text = text " " plain(line[at++])
    }
    emit(path, text)
}

function balanced(text,    i, c, open, end) {
    for (i = 1; i <= length(text); i++) {
        c = substr(text, i, 1)
        if (c == "\"" || (c == "'" && substr(text, i - 1, 1) ~ /[ ,\[{:]/)) {
            end = quote_end(text, i)
            if (!end)
                return 0
            i = end
        } else if (c == "[" || c == "{")
            open++
        else if (c == "]" || c == "}")
            open--
    }
    return open <= 0
}

function flow_blank() {
    while (substr(flow, place, 1) ~ /^[ \t]$/)
        place++
}

function flow_word(stops,    c, start, end) {
    flow_blank()
    c = substr(flow, place, 1)
    if (c == "\"" || c == "'") {
        end = quote_end(flow, place)
        if (!end)
            end = length(flow)
        start = place
        place = end + 1
        return unquoted(substr(flow, start, end - start + 1))
    }
    start = place
    while (place <= length(flow) && !index(stops, substr(flow, place, 1)))
        place++
    return plain(substr(flow, start, place - start))
}

function parse_flow(path, depth,    c, item, key) {
    flow_blank()
    c = substr(flow, place, 1)
    if (depth > DEPTH_LIMIT) {
        complain(at - 1, "is nested too deeply and is ignored")
        place = length(flow) + 1
        return
    }
    if (c == "[") {
        place++
        item = 0
        while (place <= length(flow)) {
            flow_blank()
            c = substr(flow, place, 1)
            if (c == ",") { place++; continue }
            if (c == "]") { place++; return }
            if (c == "}") { place++; continue }
            parse_flow(below(path, item++), depth + 1)
        }
        complain(at - 1, "a bracket is never closed")
    } else if (c == "{") {
        place++
        while (place <= length(flow)) {
            flow_blank()
            c = substr(flow, place, 1)
            if (c == ",") { place++; continue }
            if (c == "}") { place++; return }
            if (index("[]{:", c)) { place++; continue }
            key = flow_word(":,}")
            flow_blank()
            if (substr(flow, place, 1) != ":") {
                emit(below(path, key), "")
                continue
            }
            place++
            flow_blank()
            if (index(",}", substr(flow, place, 1)))
                emit(below(path, key), "")
            else
                parse_flow(below(path, key), depth + 1)
        }
        complain(at - 1, "a brace is never closed")
    } else
        emit(path, flow_word(",]}"))
}
