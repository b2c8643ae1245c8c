package wechat

import (
	"fmt"
	"strings"
	"testing"

	"h5pay/internal/growthtest"
)

// repeat returns head, as many parts as make about n bytes, and tail.
func repeat(n int, head, part, tail string) []byte {
	return []byte(head + strings.Repeat(part, max(n-len(head)-len(tail), len(part))/len(part)) + tail)
}

// fields returns a message whose fields have long names and fill n bytes. each makes a
// field from its number and its share of the bytes.
func manyFields(n int, each func(i, size int) string) []byte {
	var b strings.Builder
	b.WriteString("<xml>")
	for i := range maxFields {
		b.WriteString(each(i, (n-11)/maxFields))
	}
	b.WriteString("</xml>")
	return []byte(b.String())
}

// fillers are as many fields as a message may have, but for some.
var fillers = func() string {
	var b strings.Builder
	for i := range maxFields - 8 {
		fmt.Fprintf(&b, "<f%d>1</f%d>", i, i)
	}
	return b.String()
}()

// worstMessages are messages that cost a parser the most work per byte.
var worstMessages = map[string]func(n int) []byte{
	"empty fields":      func(n int) []byte { return repeat(n, "<xml>", "<a/>", "</xml>") },
	"a long name":       func(n int) []byte { return repeat(n, "<xml><", "a", "/></xml>") },
	"references":        func(n int) []byte { return repeat(n, "<xml><a>", "&lt;", "</a></xml>") },
	"open references":   func(n int) []byte { return repeat(n, "<xml><a>", "&", "</a></xml>") },
	"a long reference":  func(n int) []byte { return repeat(n, "<xml><a>&#", "0", "65;</a></xml>") },
	"CDATA sections":    func(n int) []byte { return repeat(n, "<xml><a>", "<![CDATA[]]>", "</a></xml>") },
	"open CDATA":        func(n int) []byte { return repeat(n, "<xml><a>", "<![CDATA[", "</a></xml>") },
	"brackets":          func(n int) []byte { return repeat(n, "<xml><a><![CDATA[", "]]", "]]></a></xml>") },
	"text of brackets":  func(n int) []byte { return repeat(n, "<xml><a>", "]]", "</a></xml>") },
	"open tags":         func(n int) []byte { return repeat(n, "<xml>", "<", "</xml>") },
	"nested":            func(n int) []byte { return repeat(n, "<xml>", "<a>", "</xml>") },
	"line ends":         func(n int) []byte { return repeat(n, "<xml><a>", "\r\n", "</a></xml>") },
	"spaces in a tag":   func(n int) []byte { return repeat(n, "<xml><a", " ", "/></xml>") },
	"space after":       func(n int) []byte { return repeat(n, "<xml></xml>", " ", "") },
	"a declaration":     func(n int) []byte { return repeat(n, "<?xml version='1.0' ", " ", "?><xml></xml>") },
	"declarations":      func(n int) []byte { return repeat(n, "<?xml ", "version='1.0' ", "?><xml></xml>") },
	"byte order marks":  func(n int) []byte { return repeat(n, "", "\ufeff", "<xml></xml>") },
	"no message at all": func(n int) []byte { return repeat(n, "", "x", "") },
	"long names that differ at the end": func(n int) []byte {
		return manyFields(n, func(i, size int) string { return fmt.Sprintf("<%s%03d/>", strings.Repeat("a", size-6), i) })
	},
	"values of field names": func(n int) []byte {
		return repeat(n, "<xml><a>", "&amp;fee_type=", "</a></xml>")
	},
	"one value of a late field's name": func(n int) []byte {
		return repeat(n, "<xml>"+fillers+"<b>", "&amp;appid=", "</b><appid>wx</appid></xml>")
	},
	"values of ampersands": func(n int) []byte { return repeat(n, "<xml><a><![CDATA[", "&", "]]></a></xml>") },
	"an entity": func(n int) []byte {
		return repeat(n, "<!DOCTYPE a [<!ENTITY e '", "x", "'>]><xml><a>&e;</a></xml>")
	},
}

// WeChat's notifications, which anybody may send, cost a constant amount of work
// per byte: read alone, with a signature, and as a refund's secret part.
func TestReadingMessagesIsLinear(t *testing.T) {
	c, _ := newClient(t, unread(t))
	for name, input := range worstMessages {
		t.Run(name, func(t *testing.T) {
			growthtest.Linear(t, maxMessage, input, func(b []byte) { parse(b) })
		})
		t.Run("a payment of "+name, func(t *testing.T) {
			growthtest.Linear(t, maxMessage, func(n int) []byte { return signedAs(input, n) }, func(b []byte) { c.ParsePayment(b) })
		})
		t.Run("a refund of "+name, func(t *testing.T) {
			secret := func(n int) []byte {
				text := strings.NewReplacer("<xml>", "<root>", "</xml>", "</root>").Replace(string(input(n * 3 / 5)))
				return []byte(notifying(encrypt(pad(text), testKey)).xml())
			}
			growthtest.Linear(t, maxMessage, secret, func(b []byte) { c.ParseRefund(b) })
		})
	}
	for name, input := range map[string]func(n int) []byte{
		"line ends in base64": func(n int) []byte { return []byte(notifying(strings.Repeat("A\n", n/2-300)).xml()) },
		"broken base64":       func(n int) []byte { return []byte(notifying(strings.Repeat("A", n-599) + "=").xml()) },
		"blocks of no text":   func(n int) []byte { return []byte(notifying(strings.Repeat("A", n/4*4-600)).xml()) },
	} {
		t.Run(name, func(t *testing.T) {
			growthtest.Linear(t, maxMessage, input, func(b []byte) { c.ParseRefund(b) })
		})
	}
}

// signedAs returns a message of n bytes that reaches the check of its signature.
func signedAs(input func(n int) []byte, n int) []byte {
	head := "<xml><return_code>SUCCESS</return_code><sign>" + strings.Repeat("0", 64) + "</sign>"
	return []byte(strings.Replace(string(input(n-len(head))), "<xml>", head, 1))
}

// A response of api.weixin.qq.com.
func TestReadingSNSAnswersIsLinear(t *testing.T) {
	members := func(n int) []byte {
		var b strings.Builder
		b.WriteString(`{"x":1`)
		for i := 0; b.Len() < n-16; i++ {
			fmt.Fprintf(&b, `,"%d":1`, i)
		}
		return append([]byte(b.String()), '}')
	}
	for name, input := range map[string]func(n int) []byte{
		"members":            members,
		"the same member":    func(n int) []byte { return repeat(n, `{"a":1`, `,"openid":"o"`, `}`) },
		"privileges":         func(n int) []byte { return repeat(n, `{"privilege":[`, `"",`, `""]}`) },
		"nested":             func(n int) []byte { return repeat(n, `{"openid":`, `[`, ``) },
		"a long code":        func(n int) []byte { return repeat(n, `{"errcode":"`, `9`, `"}`) },
		"control characters": func(n int) []byte { return repeat(n, `{"openid":"`, "\x01", `"}`) },
		"escapes":            func(n int) []byte { return repeat(n, `{"openid":"`, `\u0000`, `"}`) },
		"spaces":             func(n int) []byte { return repeat(n, ``, ` `, `{}`) },
	} {
		t.Run(name, func(t *testing.T) {
			growthtest.Linear(t, maxMessage, input, func(b []byte) {
				page(b, '{')
				if reply, ok := parseSNS(b); ok {
					reply.text("openid")
					integer(reply["errcode"])
				}
			})
		})
	}
}

// A bill is long and not signed.
func TestReadingABillIsLinear(t *testing.T) {
	c, _ := newClient(t, unread(t))
	good := string(theBill(t))
	names, rest, _ := strings.Cut(good, "\n")
	row, _, _ := strings.Cut(rest, "\n")
	for name, input := range map[string]func(n int) []byte{
		"rows":           func(n int) []byte { return repeat(n, names+"\n", row+"\n", sumNames+"\n`0,`0,`0,`0,`0") },
		"names":          func(n int) []byte { return repeat(n, names, ",x", "\n"+row) },
		"cells":          func(n int) []byte { return repeat(n, names+"\n`", ",`x", "\n") },
		"empty rows":     func(n int) []byte { return repeat(n, names+"\n", "`\n", "") },
		"backticks":      func(n int) []byte { return repeat(n, names+"\n", "`", "\n") },
		"a long amount":  func(n int) []byte { return repeat(n, names+"\n"+sumNames+"\n`", "9", ",`0,`0,`0,`0") },
		"line ends":      func(n int) []byte { return repeat(n, names, "\r\n", "") },
		"spaces at last": func(n int) []byte { return repeat(n, good, " ", "") },
	} {
		t.Run(name, func(t *testing.T) {
			growthtest.Linear(t, 1<<20, input, func(b []byte) { c.ParseBill(b) })
		})
	}
}
