package wechattest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// v3Object is a JSON object with its members in their order.
type v3Object []v3Member

// v3Member is one member of an object. The value is one that encoding/json can write, or a
// v3Object.
type v3Member struct {
	name  string
	value any
}

// MarshalJSON writes the members in order.
func (o v3Object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := json.Marshal(m.name)
		if err != nil {
			return nil, err
		}
		value, err := marshalPlain(m.value)
		if err != nil {
			return nil, err
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// marshalPlain writes a value as WeChat does, without escapes for HTML.
func marshalPlain(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// text is the object as it goes over the wire. A hostile simulator adds a member that
// no document names, changes the order, and writes slashes as \/. WeChat was observed
// to do all three.
func (o v3Object) text(w *WeChat) string {
	hostile := w.cfg.Hostile
	if hostile {
		o = append(v3Object(nil), o...)
		if w.ids.intn(3) == 0 {
			o = append(o, v3Member{"x_" + w.ids.text(hexDigits, 6), "未知字段 <&> " + w.ids.text(alnum, 8)})
		}
		if w.ids.intn(2) == 0 {
			w.ids.shuffle(len(o), func(i, j int) { o[i], o[j] = o[j], o[i] })
		}
	}
	b, err := marshalPlain(o)
	if err != nil {
		panic("wechattest: writing JSON: " + err.Error()) // texts and numbers only
	}
	if hostile && w.ids.intn(2) == 0 {
		return strings.ReplaceAll(string(b), "/", `\/`)
	}
	return string(b)
}

// v3Value is a JSON value of a request: a string, json.Number, bool, nil,
// []v3Value or v3Fields.
type v3Value any

// v3Fields are the members of an object of a request.
type v3Fields map[string]v3Value

var errNoObject = errors.New("want one JSON object")

// readV3JSON reads one object: no member twice, nothing behind it.
func readV3JSON(text string) (v3Fields, error) {
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	v, err := readV3Value(dec, 0)
	if err != nil {
		return nil, err
	}
	o, ok := v.(v3Fields)
	if !ok {
		return nil, errNoObject
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errors.New("want nothing after the JSON object")
	}
	return o, nil
}

// v3Depth is the largest depth of nested objects and arrays.
const v3Depth = 32

func readV3Value(dec *json.Decoder, depth int) (v3Value, error) {
	if depth > v3Depth {
		return nil, fmt.Errorf("more than %d nested values", v3Depth)
	}
	t, err := dec.Token()
	if err == io.EOF {
		return nil, io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, err
	}
	switch t {
	case json.Delim('['):
		list := []v3Value{}
		for dec.More() {
			v, err := readV3Value(dec, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err := dec.Token()
		return list, err
	case json.Delim('{'):
		o := v3Fields{}
		for dec.More() {
			t, err := dec.Token()
			if err != nil {
				return nil, err
			}
			name, ok := t.(string)
			if !ok {
				return nil, errNoObject
			}
			if _, twice := o[name]; twice {
				return nil, fmt.Errorf("the member %q is repeated", name)
			}
			if o[name], err = readV3Value(dec, depth+1); err != nil {
				return nil, err
			}
		}
		_, err := dec.Token()
		return o, err
	}
	return t, nil
}

// at returns the value at a path such as "amount/total", nil when it is absent.
func (o v3Fields) at(path string) v3Value {
	head, rest, more := strings.Cut(path, "/")
	v := o[head]
	if !more {
		return v
	}
	if inner, ok := v.(v3Fields); ok {
		return inner.at(rest)
	}
	return nil
}

// text returns a string, "" when it is absent.
func (o v3Fields) text(path string) string {
	s, _ := o.at(path).(string)
	return s
}

// number returns a whole number, 0 when it is absent. The field table has checked
// it.
func (o v3Fields) number(path string) int64 {
	n, _ := o.at(path).(json.Number)
	i, err := n.Int64()
	if err != nil {
		return 0
	}
	return i
}

// flatten lists paths and values in turn, sorted by path. They must be the same in a repeated
// request.
func (o v3Fields) flatten() []string {
	var pairs []pair
	o.walk("", func(path string, v v3Value) {
		b, err := json.Marshal(v)
		if err != nil {
			panic("wechattest: " + err.Error()) // it was read from JSON
		}
		pairs = append(pairs, pair{path, string(b)})
	})
	return flatten(sortedPairs(pairs))
}

// walk visits every value that is no object.
func (o v3Fields) walk(prefix string, visit func(path string, v v3Value)) {
	for name, v := range o {
		if inner, ok := v.(v3Fields); ok {
			inner.walk(prefix+"/"+name, visit)
			continue
		}
		visit(prefix+"/"+name, v)
	}
}
