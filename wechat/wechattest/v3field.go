package wechattest

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"sort"
	"strings"
	"time"
	"unicode/utf8"
)

// v3Kind is the JSON type of a field.
type v3Kind int

const (
	v3String v3Kind = iota
	v3Integer
	v3Boolean
	v3Nested // an object
	v3List   // an array of objects, or of strings when it has no fields
)

// v3Field is one line of a field table of APIv3.
type v3Field struct {
	name, title string // title is the Chinese name that error messages have
	kind        v3Kind
	required    bool
	min, max    int64 // of a string its length in bytes, of an integer its value; max 0 is none
	characters  bool  // the length counts characters
	form        *regexp.Regexp
	enum        []string
	valid       func(string) bool
	fields      []v3Field
	items       int // an array has at least so many
}

// need returns the field as a required one.
func (f v3Field) need() v3Field {
	f.required = true
	return f
}

func v3Text(name, title string, max int64) v3Field {
	return v3Field{name: name, title: title, max: max}
}

func v3Fen(name, title string, min int64) v3Field {
	return v3Field{name: name, title: title, kind: v3Integer, min: min}
}

func v3Group(name, title string, fields ...v3Field) v3Field {
	return v3Field{name: name, title: title, kind: v3Nested, fields: fields}
}

func v3Array(name, title string, fields ...v3Field) v3Field {
	return v3Field{name: name, title: title, kind: v3List, fields: fields}
}

func v3Choice(name, title string, max int64, enum ...string) v3Field {
	return v3Field{name: name, title: title, max: max, enum: enum}
}

var (
	v3OutTradeNo  = regexp.MustCompile(`^[0-9A-Za-z_\-|*]{6,32}$`)
	v3OutRefundNo = regexp.MustCompile(`^[0-9A-Za-z_\-|*@]{1,64}$`)
	// The pattern that WeChat prints in its own error message.
	v3NotifyURL = regexp.MustCompile(`^https?://([^\s/?#\[\]\@]+\@)?([^\s/?#\@:]+)(?::\d{2,5})?([^\s?#\[\]]*)$`)
	v3Date      = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}$`)
)

// v3Problem is a field that WeChat declines.
type v3Problem struct {
	message  string
	location any // body, query, uri_template, or nil
	value    any
	number   string // the numeric code at the end of Request-ID
}

// source names a field as WeChat does.
func v3Source(location, path string) string { return "输入源“/" + location + path + "”" }

// checkV3Body applies a field table to the body. nil means that the body is valid.
func checkV3Body(body v3Fields, table []v3Field) *v3Problem {
	if p := checkV3Fields(body, "", table); p != nil {
		return p
	}
	var unknown []string
	findUnknown(body, "", table, &unknown)
	if len(unknown) > 0 {
		sort.Strings(unknown)
		return &v3Problem{message: "请求中含有未在API文档中定义的参数", value: unknown, number: "270924358"}
	}
	return nil
}

func checkV3Fields(o v3Fields, prefix string, table []v3Field) *v3Problem {
	for _, f := range table {
		path := prefix + "/" + f.name
		v, there := o[f.name]
		if !there {
			if f.required {
				return &v3Problem{message: v3Source("body", path) + "映射到字段“" + f.title + "”必填性规则校验失败，此字段为必填项", location: "body", value: ""}
			}
			continue
		}
		if p := f.check(v, path); p != nil {
			return p
		}
	}
	return nil
}

// check checks one value.
func (f v3Field) check(v v3Value, path string) *v3Problem {
	wrongType := func(want string) *v3Problem {
		return &v3Problem{message: "无法将 JSON " + v3Source("body", path) + "映射到目标字段“" + f.title + "”中，此字段需要一个合法的" + want, location: "body"}
	}
	switch f.kind {
	case v3String:
		s, ok := v.(string)
		if !ok {
			return wrongType("字符串")
		}
		return f.checkText("body", path, s)
	case v3Integer:
		n, ok := v.(json.Number)
		if !ok {
			return wrongType(" 64 位有符号整数")
		}
		i, err := n.Int64()
		if err != nil {
			return wrongType(" 64 位有符号整数")
		}
		if i < f.min {
			return &v3Problem{message: v3Source("body", path) + "映射到数值字段“" + f.title + "”规则校验失败，值低于最小值 " + itoa(f.min), location: "body", value: i}
		}
		if f.max > 0 && i > f.max {
			return &v3Problem{message: v3Source("body", path) + "映射到数值字段“" + f.title + "”规则校验失败，值高于最大值 " + itoa(f.max), location: "body", value: i}
		}
	case v3Boolean:
		if _, ok := v.(bool); !ok {
			return wrongType("布尔值")
		}
	case v3Nested:
		o, ok := v.(v3Fields)
		if !ok {
			return wrongType("对象")
		}
		return checkV3Fields(o, path, f.fields)
	case v3List:
		list, ok := v.([]v3Value)
		if !ok {
			return wrongType("数组")
		}
		if len(list) < f.items {
			return &v3Problem{message: v3Source("body", path) + "映射到数组字段“" + f.title + "”规则校验失败，元素个数小于最小值 " + itoa(int64(f.items)), location: "body", value: len(list)}
		}
		item := v3Field{title: f.title, kind: v3Nested, fields: f.fields}
		if f.fields == nil {
			item = v3Field{title: f.title, max: f.max, enum: f.enum}
		}
		for i, v := range list {
			if p := item.check(v, fmt.Sprintf("%s/%d", path, i)); p != nil {
				return p
			}
		}
	}
	return nil
}

// checkText checks a text of the body, the query or the path.
func (f v3Field) checkText(location, path, s string) *v3Problem {
	source := v3Source(location, path) + "映射到值字段“" + f.title + "”字符串规则校验失败，"
	size, unit := int64(len(s)), "字节数"
	if f.characters {
		size, unit = int64(utf8.RuneCountInString(s)), "字符数"
	}
	// Measured lengths are texts in responses about the body, numbers elsewhere.
	measured := any(size)
	if location == "body" {
		measured = itoa(size)
	}
	least := f.min
	if f.required {
		least = max(least, 1)
	}
	switch {
	case f.max > 0 && size > f.max:
		return &v3Problem{message: fmt.Sprintf("%s%s %d，大于最大值 %d", source, unit, size, f.max), location: location, value: measured}
	case size < least:
		return &v3Problem{message: fmt.Sprintf("%s%s %d，小于最小值 %d", source, unit, size, least), location: location, value: measured}
	case strings.IndexFunc(s, func(r rune) bool { return r > 0xffff }) >= 0:
		// Characters of 1 to 3 bytes only.
		return &v3Problem{message: source + "包含不支持的字符", location: location, value: s}
	case f.form != nil && !f.form.MatchString(s):
		return &v3Problem{message: source + "字符串必须匹配正则表达式“" + f.form.String() + "”", location: location, value: s}
	case f.enum != nil && !slices.Contains(f.enum, s), f.valid != nil && !f.valid(s):
		return &v3Problem{message: v3Source(location, path) + "映射到值字段“" + f.title + "”规则校验失败，值不合法", location: location, value: s}
	}
	return nil
}

// findUnknown collects the pointers of fields that the table does not have. A null
// is not allowed either, and found as an unknown field of its own kind by check.
func findUnknown(o v3Fields, prefix string, table []v3Field, found *[]string) {
	for name, v := range o {
		path := prefix + "/" + name
		i := slices.IndexFunc(table, func(f v3Field) bool { return f.name == name })
		if i < 0 {
			*found = append(*found, "/body"+path)
			continue
		}
		switch v := v.(type) {
		case v3Fields:
			findUnknown(v, path, table[i].fields, found)
		case []v3Value:
			for n, item := range v {
				if inner, ok := item.(v3Fields); ok {
					findUnknown(inner, fmt.Sprintf("%s/%d", path, n), table[i].fields, found)
				}
			}
		}
	}
}

// checkV3Query applies a table to the query of a request.
func (c *v3Call) checkQuery(table []v3Field) *v3Problem {
	for _, f := range table {
		values, there := c.query[f.name]
		switch {
		case !there && f.required:
			return &v3Problem{message: v3Source("query", "/"+f.name) + "映射到字段“" + f.title + "”必填性规则校验失败，此字段为必填项", location: "query", value: ""}
		case !there:
			continue
		}
		if p := f.checkText("query", "/"+f.name, values[0]); p != nil {
			return p
		}
	}
	var unknown []string
	for name, values := range c.query {
		if len(values) > 1 || !slices.ContainsFunc(table, func(f v3Field) bool { return f.name == name }) {
			unknown = append(unknown, "/query/"+name)
		}
	}
	if len(unknown) > 0 {
		sort.Strings(unknown)
		return &v3Problem{message: "请求中含有未在API文档中定义的参数", value: unknown, number: "270924358"}
	}
	return nil
}

// v3Time accepts RFC 3339 with an offset.
func v3Time(s string) bool {
	_, err := time.Parse(time.RFC3339, s)
	return err == nil
}

// v3Address accepts IPv4 and IPv6, without a zone.
func v3Address(s string) bool {
	a, err := netip.ParseAddr(s)
	return err == nil && a.Zone() == ""
}

// sortedPairs sorts by name.
func sortedPairs(pairs []pair) []pair {
	sort.Slice(pairs, func(i, j int) bool { return pairs[i].name < pairs[j].name })
	return pairs
}
