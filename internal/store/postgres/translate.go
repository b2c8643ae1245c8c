package postgres

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Translate returns a statement of package store in PostgreSQL's SQL. The statements are written
// once, for SQLite, in the part of its language that has a counterpart in PostgreSQL:
//
//   - Placeholders: ? and ?3 become $1 and $3.
//   - Hints for SQLite's planner, INDEXED BY and the + before a column, are removed.
//   - Functions: IIF, MAX and MIN of several values, group_concat, char, strftime of a day, json_each and
//     the other functions for JSON. CAST AS INTEGER is that to BIGINT.
//   - a IS b and a IS NOT b, where b may be NULL, become IS [NOT] DISTINCT FROM.
//   - A comparison in brackets that is compared with 0 or 1 becomes CASE, because PostgreSQL has no
//     conversion between booleans and numbers.
//   - a IN (SELECT ...), of a list of JSON or with LIMIT, is = ANY of an array.
//   - A subquery of FROM without a name gets one, and CROSS JOIN with ON is JOIN.
//   - seq > ? reads events by position, see inOrder.
//
// Constructs without a counterpart stay unchanged, and PostgreSQL rejects them.
func Translate(sql string) (string, error) {
	all, err := tokens(sql)
	if err != nil {
		return "", err
	}
	if at(all, next(all, 0)).is("CREATE", "DROP") {
		return TranslateSchema(strings.TrimRight(sql, "; \n\t") + ";")
	}
	var t translator
	out, err := t.run(all)
	if err != nil {
		return "", fmt.Errorf("%w in %s", err, sql)
	}
	return out, nil
}

// translator is one translation.
type translator struct {
	marks int // placeholders without a number so far
	names int // names for subqueries so far
}

// inOrder follows a condition that reads events from a position on. Two transactions may commit in
// another order than the one in which they drew their positions. A reader that has passed the later
// position would never see the earlier event. So a reader sees no event of a transaction that began
// after another one that is still running. No statement of this program takes a minute (session in
// open.go). So an event that is older does not wait for the transactions of other programs.
const inOrder = ` AND (txid < pg_snapshot_xmin(pg_current_snapshot()) OR created_at < (extract(epoch FROM statement_timestamp()) * 1000)::bigint - 60000)`

// run translates tokens.
func (t *translator) run(all []token) (string, error) {
	var b strings.Builder
	for i := 0; i < len(all); i++ {
		tok := all[i]
		after := next(all, i+1)
		switch {
		case tok.kind == mark:
			b.WriteString(t.placeholder(tok.text))
			if j := next(all, after+1); at(all, after).is("IS") && (at(all, j).is("NULL") || at(all, j).is("NOT") && at(all, next(all, j+1)).is("NULL")) {
				b.WriteString("::text") // PostgreSQL cannot tell the type from IS NULL
			}
		case tok.is("INDEXED") && at(all, after).is("BY"):
			i = next(all, next(all, after+1)+1) - 1 // also the space behind the name
		case tok.is("+") && at(all, i+1).kind == word && at(all, i-1).kind == space && before(all, i).is("AND", "OR", "WHERE", "(", ",", "BY"):
			// A hint: the column is not to be read by an index.
		case tok.is("d1_migrations"): // the name is D1's
			b.WriteString("h5pay_migrations")
		case tok.is("IS"):
			s, last := distinct(all, i)
			b.WriteString(s)
			i = last
		case tok.is("CROSS") && at(all, after).is("JOIN") && crossOn(all, after):
			i = next(all, after) - 1
		case tok.is("("):
			end, err := closing(all, i)
			if err != nil {
				return "", err
			}
			s, err := t.brackets(all, i, end)
			if err != nil {
				return "", err
			}
			b.WriteString(s)
			i = end
		case tok.is("EXISTS") && before(all, i).is("=", "<>"):
			end, err := closing(all, after)
			if err != nil {
				return "", err
			}
			s, err := t.run(all[after : end+1])
			if err != nil {
				return "", err
			}
			b.WriteString(truth("EXISTS " + s))
			i = end
		case tok.kind == word && at(all, after).is("(") && t.isFunction(tok.text):
			end, err := closing(all, after)
			if err != nil {
				return "", err
			}
			s, err := t.call(strings.ToLower(tok.text), split(all[after+1:end], ","))
			if err != nil {
				return "", err
			}
			b.WriteString(s)
			i = end
		case tok.is("IN") && list(all, after) != nil:
			end, err := closing(all, after)
			if err != nil {
				return "", err
			}
			s, err := t.run(list(all, after))
			if err != nil {
				return "", err
			}
			b.WriteString("= ANY (ARRAY(SELECT jsonb_array_elements_text((" + s + ")::jsonb)))")
			i = end
		case tok.is("IN") && !before(all, i).is("NOT") && at(all, after).is("(") && limited(all, after):
			end, err := closing(all, after)
			if err != nil {
				return "", err
			}
			s, err := t.run(all[after+1 : end])
			if err != nil {
				return "", err
			}
			b.WriteString("= ANY (ARRAY(" + s + "))")
			i = end
		case tok.kind == word && at(all, after).is("->>"):
			b.WriteString("(" + tok.text + ")::jsonb")
		case tok.is("seq") && at(all, after).is(">") && at(all, next(all, after+1)).kind == mark && !before(all, i).is("."):
			j := next(all, after+1)
			b.WriteString("seq > " + t.placeholder(all[j].text) + inOrder)
			i = j
		default:
			b.WriteString(tok.text)
		}
	}
	return b.String(), nil
}

// before returns the token before an index that is no space.
func before(all []token, i int) token { return at(all, lastBefore(all, i)) }

// lastBefore returns the index of that token, -1 if there is none.
func lastBefore(all []token, i int) int {
	for i--; i >= 0 && all[i].kind == space; i-- {
	}
	return i
}

func (t *translator) placeholder(s string) string {
	if s != "?" {
		return "$" + s[1:]
	}
	t.marks++
	return "$" + strconv.Itoa(t.marks)
}

// distinct translates IS at an index and returns the index of its last token.
func distinct(all []token, i int) (s string, last int) {
	not, j := "", next(all, i+1)
	if at(all, j).is("NOT") {
		not, i, j = " NOT", j, next(all, j+1)
	}
	if at(all, j).is("NULL", "TRUE", "FALSE", "DISTINCT") {
		return "IS" + not, i
	}
	if not != "" {
		return "IS DISTINCT FROM", i
	}
	return "IS NOT DISTINCT FROM", i
}

// crossOn reports whether the JOIN at an index has an ON.
func crossOn(all []token, i int) bool {
	for _, t := range all[i+1:] {
		if t.is("ON") {
			return true
		}
		if t.is("WHERE", "JOIN", "CROSS", "GROUP", "ORDER", "LIMIT", ",", ")") {
			return false
		}
	}
	return false
}

// list returns the argument of json_each in the list (SELECT value FROM json_each(...)) at an
// index, nil if there is none. PostgreSQL uses an index for = ANY, and expects few rows.
func list(all []token, i int) []token {
	j := i
	for _, want := range []string{"(", "SELECT", "value", "FROM", "json_each", "("} {
		if j = next(all, j); !at(all, j).is(want) {
			return nil
		}
		j++
	}
	end, err := closing(all, j-1)
	if err != nil || !at(all, next(all, end+1)).is(")") {
		return nil
	}
	return all[j:end]
}

// limited reports whether a subquery at an index has a LIMIT. Then = ANY makes PostgreSQL read its
// rows first and the others by an index. With IN it might join them in the other direction.
func limited(all []token, i int) bool {
	end, err := closing(all, i)
	if err != nil || !at(all, next(all, i+1)).is("SELECT") {
		return false
	}
	return len(split(all[i+1:end], "LIMIT")) > 1
}

// brackets translates what stands between two indexes, with the brackets.
func (t *translator) brackets(all []token, open, end int) (string, error) {
	inner, err := t.run(all[open+1 : end])
	if err != nil {
		return "", err
	}
	after := next(all, end+1)
	if at(all, after).is("=") && at(all, next(all, after+1)).kind == number && compares(all[open+1:end]) {
		return truth(inner), nil
	}
	previous := before(all, open)
	if previous.is("=") && before(all, lastBefore(all, open)).kind == word && compares(all[open+1:end]) {
		return truth(inner), nil
	}
	if previous.is("FROM", "JOIN") && at(all, next(all, open+1)).is("SELECT") && !named(at(all, after)) {
		t.names++
		return "(" + inner + ") AS sub" + strconv.Itoa(t.names), nil
	}
	return "(" + inner + ")", nil
}

// truth returns the number that a condition has in SQLite.
func truth(condition string) string { return "(CASE WHEN " + condition + " THEN 1 ELSE 0 END)" }

// compares reports whether tokens are a comparison, without a calculation or a subquery.
func compares(all []token) bool {
	depth := 0
	for _, t := range all {
		switch {
		case t.is("("):
			depth++
		case t.is(")"):
			depth--
		case t.is("SELECT"):
			return false
		case depth == 0 && t.is("=", "<>", "<", ">", "<=", ">=", "IS", "IN"):
			return true
		}
	}
	return false
}

// named reports whether the token behind a subquery is its name.
func named(t token) bool {
	return t.kind == word && !t.is("WHERE", "GROUP", "ORDER", "LIMIT", "ON", "JOIN", "LEFT", "CROSS", "UNION", "HAVING", "RETURNING")
}

// functions are those that call translates.
var functions = map[string]bool{
	"iif": true, "max": true, "min": true, "group_concat": true, "strftime": true, "cast": true, "json_extract": true,
	"json_object": true, "json_array": true, "json_group_array": true, "json_group_object": true, "json": true, "json_set": true, "json_valid": true,
	"json_each": true, "char": true,
}

func (t *translator) isFunction(name string) bool { return functions[strings.ToLower(name)] }

// call translates the call of a function.
func (t *translator) call(name string, parts [][]token) (string, error) {
	args := make([]string, len(parts))
	for i, part := range parts {
		s, err := t.run(trim(part))
		if err != nil {
			return "", err
		}
		args[i] = s
	}
	all := strings.Join(args, ", ")
	switch name {
	case "iif":
		if len(args) != 3 {
			return "", errors.New("IIF: want three arguments")
		}
		return "CASE WHEN " + args[0] + " THEN " + args[1] + " ELSE " + args[2] + " END", nil
	case "max", "min":
		if len(args) == 1 {
			return strings.ToUpper(name) + "(" + all + ")", nil
		}
		return map[string]string{"max": "GREATEST", "min": "LEAST"}[name] + "(" + all + ")", nil
	case "group_concat":
		if len(args) == 1 {
			all += ", ','"
		}
		return "string_agg(" + all + ")", nil
	case "strftime":
		if len(args) != 4 || args[0] != "'%Y-%m-%d'" || args[2] != "'unixepoch'" || args[3] != "'+8 hours'" {
			return "", errors.New("strftime: want a day in Beijing")
		}
		return "to_char(to_timestamp(" + args[1] + ") AT TIME ZONE 'UTC' + interval '8 hours', 'YYYY-MM-DD')", nil
	case "cast":
		value, ok := strings.CutSuffix(all, " AS INTEGER")
		if !ok {
			return "", errors.New("CAST: want INTEGER")
		}
		return "(" + value + ")::bigint", nil
	case "json":
		return "(" + all + ")::jsonb", nil
	case "json_valid":
		return "((" + all + ")::jsonb IS NOT NULL)", nil
	case "json_extract":
		path, err := jsonPath(args[1])
		return "((" + args[0] + ")::jsonb #>> " + path + ")", err
	case "json_set":
		return jsonSet(args)
	case "json_object":
		return "jsonb_build_object(" + all + ")", nil
	case "json_array":
		return "jsonb_build_array(" + all + ")", nil
	case "json_group_array":
		return "COALESCE(jsonb_agg(" + all + "), '[]')", nil
	case "json_group_object":
		return "COALESCE(jsonb_object_agg(" + all + "), '{}')", nil
	case "char":
		return "chr(" + all + ")", nil
	case "json_each":
		return "h5pay_each(" + all + ")", nil
	}
	return "", fmt.Errorf("no translation of %s", name)
}

// jsonSet translates json_set. PostgreSQL would return NULL for a value that is NULL.
func jsonSet(args []string) (string, error) {
	s := "(" + args[0] + ")::jsonb"
	if len(args)%2 == 0 {
		return "", errors.New("json_set: want a value after each path")
	}
	for i := 1; i < len(args); i += 2 {
		path, err := jsonPath(args[i])
		if err != nil {
			return "", err
		}
		value := "'null'"
		if !strings.EqualFold(args[i+1], "NULL") {
			value = "COALESCE(to_jsonb(" + args[i+1] + "), 'null')"
			if strings.HasPrefix(args[i+1], "CASE ") || strings.HasPrefix(args[i+1], "'") {
				value = "COALESCE(to_jsonb((" + args[i+1] + ")::text), 'null')" // strings have no type in PostgreSQL
			}
		}
		s = "jsonb_set(" + s + ", " + path + ", " + value + ")"
	}
	return s, nil
}

// jsonPath translates a path like '$.payment.payer'.
func jsonPath(s string) (string, error) {
	path, ok := strings.CutPrefix(s, "'$.")
	if !ok || strings.ContainsAny(path, `[]"`) {
		return "", fmt.Errorf("%s: want a path of names", s)
	}
	return "'{" + strings.ReplaceAll(strings.TrimSuffix(path, "'"), ".", ",") + "}'", nil
}
