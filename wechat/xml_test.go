package wechat

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseReadsFlatMessages(t *testing.T) {
	for name, c := range map[string]struct {
		body string
		want []Field
	}{
		"plain":            {"<xml><a>1</a></xml>", []Field{{"a", "1"}}},
		"order of arrival": {"<xml><b>1</b><a>2</a></xml>", []Field{{"b", "1"}, {"a", "2"}}},
		"no fields":        {"<xml></xml>", nil},
		"self-closing":     {"<xml><a/><b>1</b></xml>", []Field{{"a", ""}, {"b", "1"}}},
		"empty":            {"<xml><a></a><b><![CDATA[]]></b></xml>", []Field{{"a", ""}, {"b", ""}}},
		"CDATA":            {"<xml><a><![CDATA[<b>&amp;</b>]]></a></xml>", []Field{{"a", "<b>&amp;</b>"}}},
		"CDATA twice":      {"<xml><a><![CDATA[]]]]><![CDATA[>]]></a></xml>", []Field{{"a", "]]>"}}},
		"CDATA and text":   {"<xml><a>1<![CDATA[2]]>3</a></xml>", []Field{{"a", "123"}}},
		"entities":         {"<xml><a>&lt;&gt;&amp;&quot;&apos;&#65;&#x4e2d;</a></xml>", []Field{{"a", "<>&\"'A中"}}},
		"white space kept": {"<xml><a> 1 </a></xml>", []Field{{"a", " 1 "}}},
		"white space":      {" \n<xml> \r\n\t<a>1</a >\n</xml>\n\n", []Field{{"a", "1"}}},
		"CRLF":             {"<xml><a>1\r\n2\r3</a></xml>", []Field{{"a", "1\n2\n3"}}},
		"BOM":              {"\ufeff<xml><a>1</a></xml>", []Field{{"a", "1"}}},
		"prolog":           {`<?xml version="1.0" encoding="utf-8"?><xml><a>1</a></xml>`, []Field{{"a", "1"}}},
		"BOM and prolog":   {"\ufeff<?xml version='1.0' encoding='UTF-8' standalone='yes'?>\n<xml><a>1</a></xml>", []Field{{"a", "1"}}},
		"bare prolog":      {`<?xml version="1.0"?><xml><a>1</a></xml>`, []Field{{"a", "1"}}},
		"case":             {"<xml><a>1</a><A>2</A></xml>", []Field{{"a", "1"}, {"A", "2"}}},
		"field named xml":  {"<xml><xml>1</xml></xml>", []Field{{"xml", "1"}}},
		"indexed":          {"<xml><coupon_fee>1</coupon_fee><coupon_fee_0>2</coupon_fee_0></xml>", []Field{{"coupon_fee", "1"}, {"coupon_fee_0", "2"}}},
		"emoji":            {"<xml><a>茶🍵</a></xml>", []Field{{"a", "茶🍵"}}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parse([]byte(c.body))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("fields (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseRejectsBadMessages(t *testing.T) {
	const (
		doctype    = "document type declaration"
		repeated   = "repeated element"
		nested     = "nested element"
		prefix     = "prefix or attribute"
		encoding   = "encoding other than UTF-8"
		malformed  = "not well-formed"
		incomplete = "incomplete"
		stray      = "text outside of a field"
		outside    = "element outside of the message"
		inst       = "processing instruction"
	)
	var many strings.Builder
	for i := range 257 {
		fmt.Fprintf(&many, "<a%d/>", i)
	}
	for name, c := range map[string]struct{ body, rule string }{
		"DOCTYPE":                  {"<!DOCTYPE xml><xml><a>1</a></xml>", doctype},
		"DOCTYPE with an entity":   {`<!DOCTYPE foo [<!ENTITY e SYSTEM "http://tst.qq.com/xxe">]><xml><a>&e;</a></xml>`, doctype},
		"DOCTYPE, entity unused":   {`<!DOCTYPE foo [<!ENTITY e "x">]><xml><a>1</a></xml>`, doctype},
		"DOCTYPE after a prolog":   {`<?xml version="1.0"?><!DOCTYPE a><xml></xml>`, doctype},
		"DOCTYPE in lower case":    {"<!doctype xml><xml></xml>", doctype},
		"DOCTYPE inside":           {"<xml><!DOCTYPE a><a>1</a></xml>", doctype},
		"DOCTYPE in a field":       {"<xml><a>1<!DOCTYPE a></a></xml>", doctype},
		"DOCTYPE at the end":       {"<xml></xml><!DOCTYPE a>", doctype},
		"unknown entity":           {"<xml><a>&e;</a></xml>", malformed},
		"HTML entity":              {"<xml><a>&nbsp;</a></xml>", malformed},
		"repeated":                 {"<xml><a>1</a><a>2</a></xml>", repeated},
		"repeated, same value":     {"<xml><a>1</a><b/><a>1</a></xml>", repeated},
		"repeated, empty":          {"<xml><a/><a>1</a></xml>", repeated},
		"nested":                   {"<xml><a><b>1</b></a></xml>", nested},
		"nested between text":      {"<xml><a>1<b>2</b>3</a></xml>", nested},
		"nested message":           {"<xml><xml><a>1</a></xml></xml>", nested},
		"element after the end":    {"<xml></xml><a>1</a>", outside},
		"second message":           {"<xml><a>1</a></xml><xml><a>1</a></xml>", outside},
		"another root":             {"<html></html>", outside},
		"root in upper case":       {"<XML><a>1</a></XML>", outside},
		"text after the end":       {"<xml></xml>x", stray},
		"text before":              {"x<xml></xml>", stray},
		"text between fields":      {"<xml><a>1</a>x</xml>", stray},
		"CDATA between fields":     {"<xml><a>1</a><![CDATA[x]]></xml>", stray},
		"two BOMs":                 {"\ufeff\ufeff<xml></xml>", stray},
		"JSON":                     {`{"errcode":0}`, stray},
		"prefix":                   {"<xml><p:a>1</p:a></xml>", prefix},
		"prefixed root":            {"<p:xml><a>1</a></p:xml>", prefix},
		"colon first":              {"<xml><:a>1</:a></xml>", prefix},
		"colon last":               {"<xml><a:>1</a:></xml>", prefix},
		"name space":               {`<xml xmlns="urn:x"><a>1</a></xml>`, prefix},
		"attribute":                {`<xml><a b="1">1</a></xml>`, prefix},
		"GBK":                      {`<?xml version="1.0" encoding="GBK"?><xml></xml>`, encoding},
		"GBK with spaces":          {`<?xml version="1.0" encoding = 'gbk' ?><xml></xml>`, encoding},
		"UTF-16":                   {`<?xml version="1.0" encoding="UTF-16"?><xml></xml>`, encoding},
		"unquoted encoding":        {`<?xml version="1.0" encoding=utf-8?><xml></xml>`, encoding},
		"open encoding":            {`<?xml version="1.0" encoding="utf-8?><xml></xml>`, encoding},
		"another version":          {`<?xml version="1.1"?><xml></xml>`, malformed},
		"prolog after white space": {` <?xml version="1.0"?><xml></xml>`, inst},
		"prolog twice":             {`<?xml version="1.0"?><?xml version="1.0"?><xml></xml>`, inst},
		"prolog inside":            {`<xml><?xml version="1.0"?></xml>`, inst},
		"instruction":              {`<?php x ?><xml></xml>`, inst},
		"instruction in a field":   {`<xml><a>1<?x y?></a></xml>`, inst},
		"comment in a value":       {"<xml><a>1<!-- -->2</a></xml>", "comment"},
		"comment":                  {"<!-- --><xml></xml>", "comment"},
		"NUL":                      {"<xml><a>\x00</a></xml>", malformed},
		"control character":        {"<xml><a>\x01</a></xml>", malformed},
		"its reference":            {"<xml><a>&#1;</a></xml>", malformed},
		"its CDATA":                {"<xml><a><![CDATA[\x0b]]></a></xml>", malformed},
		"U+FFFF":                   {"<xml><a>\uffff</a></xml>", malformed},
		"not UTF-8":                {"<xml><a>\xd6\xd0</a></xml>", "not UTF-8"},
		"crossed":                  {"<xml><a>1</xml></a>", malformed},
		"wrong end":                {"<xml><a>1</b></xml>", malformed},
		"end without start":        {"</xml>", malformed},
		"CDATA end in text":        {"<xml><a>]]></a></xml>", malformed},
		"bare ampersand":           {"<xml><a>1&2</a></xml>", malformed},
		"empty":                    {"", incomplete},
		"white space only":         {" \n", incomplete},
		"BOM only":                 {"\ufeff", incomplete},
		"open root":                {"<xml><a>1</a>", incomplete},
		"open field":               {"<xml><a>1", incomplete},
		"open CDATA":               {"<xml><a><![CDATA[1", malformed},
		"open tag":                 {"<xml><a", malformed},
		"too many fields":          {"<xml>" + many.String() + "</xml>", "more than 256 fields"},
		"too long":                 {"<xml><a>" + strings.Repeat("x", maxMessage) + "</a></xml>", "longer than 64 KiB"},
	} {
		t.Run(name, func(t *testing.T) {
			fields, err := parse([]byte(c.body))
			var e *ParseError
			if !errors.As(err, &e) {
				t.Fatalf("read %v, error %v; want the rule %q", fields, err, c.rule)
			}
			if e.Rule != c.rule {
				t.Errorf("rule is %q, want %q", e.Rule, c.rule)
			}
			if fields != nil {
				t.Errorf("fields was returned with the error: %v", fields)
			}
		})
	}
}

func TestParseTakesAMessageAtItsLimits(t *testing.T) {
	frame := len("<xml><a></a></xml>")
	if _, err := parse([]byte("<xml><a>" + strings.Repeat("x", maxMessage-frame) + "</a></xml>")); err != nil {
		t.Errorf("64 KiB: %v", err)
	}
	var b strings.Builder
	for i := range maxFields {
		fmt.Fprintf(&b, "<a%d/>", i)
	}
	if _, err := parse([]byte("<xml>" + b.String() + "</xml>")); err != nil {
		t.Errorf("256 fields: %v", err)
	}
}

func TestWriteIsReadBackUnchanged(t *testing.T) {
	want := []Field{
		{"a", "]]>"}, {"b", "]]]]>>"}, {"c", "<xml>&amp;</xml>"}, {"d", "]]"}, {"e", ">"}, {"f", ""},
		{"g", "茶 & 🍵"}, {"h", `{"k":["v"]}`}, {"i", "<![CDATA[x]]>"}, {"j", "]]>]]>"},
	}
	got, err := parse(write(want))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
}

func TestCleanDropsWhatXMLDoesNotCarry(t *testing.T) {
	for in, want := range map[string]string{
		"a\x00b\x1fc\x7fd":   "abcd",
		"a\r\nb\tc":          "abc",
		"\xff\xfea\xc3":      "a",
		"\ufffd\ufffe\uffff": "",
		"茶🍵👨‍👩‍👧 \u2028\u0085é\u00a0": "茶🍵👨‍👩‍👧 \u2028\u0085é\u00a0",
	} {
		if got := clean(in); got != want {
			t.Errorf("clean(%q) is %q, want %q", in, got, want)
		}
	}
}
