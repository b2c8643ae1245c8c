package wechat_test

import (
	"encoding/xml"
	"errors"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"h5pay/wechat"
	"h5pay/wechat/wechattest"
)

// The client and the simulator have separate XML readers and signatures, written in different ways.
// These tests compare them.

// clientReads reports whether the client's reader accepts a message, whatever its fields are.
func (w *world) clientReads(body string) bool {
	_, err := w.client.ParsePayment([]byte(body))
	var unreadable *wechat.ParseError
	return !errors.As(err, &unreadable)
}

// simulatorReads reports whether the simulator's reader accepts a message.
func (w *world) simulatorReads(body string) bool {
	rec := httptest.NewRecorder()
	w.Handler().ServeHTTP(rec, httptest.NewRequest(http.MethodPost, "/pay/orderquery", strings.NewReader(body)))
	for _, text := range []string{"XML格式错误", "编码格式错误", "post数据为空"} {
		if strings.Contains(rec.Body.String(), text) {
			return false
		}
	}
	return true
}

// messages are accepted by both readers or by neither.
var messages = map[bool][]string{
	true: {
		"<xml></xml>", "<xml/>", "<xml ></xml >", "\ufeff<xml/>", "<xml><a>1</a><b/></xml>", "<xml> <a>1</a>\r\n</xml>\t", "<xml><xml>1</xml></xml>",
		"<?xml version='1.0'?><xml/>", "<?xml version = \"1.0\" encoding\t=\t'UTF-8'\nstandalone='no' ?>\n<xml/>", "<xml><a-b.c_1 >x</a-b.c_1\n></xml>",
		"<xml><a>&lt;&gt;&amp;&quot;&apos;&#65;&#x4E2d;</a></xml>", "<xml><a><![CDATA[]]]]><![CDATA[>]]></a></xml>", "<xml><a>1<![CDATA[<b>]]>2</a></xml>",
		"<xml><a>></a></xml>", "<xml><a>]]&gt;</a></xml>", "<xml><a>&#13;</a></xml>", "<xml><a>茶🍵</a></xml>", "<xml><A>1</A><a>1</a></xml>",
	},
	false: {
		"", " ", "x", "<xml>", "<xml><a>1</a>", "<xml></xml></xml>", "<xml></xml><xml/>", "<xml></xml>x", "x<xml/>", "<root/>", "<XML/>", "<xml a='1'/>",
		"<xml><a b='1'>2</a></xml>", "<xml><p:a>1</p:a></xml>", "<xml xmlns='u'/>", "<xml><a>1</b></xml>", "<xml><a><b>1</b></a></xml>", "<xml><a>1</a><a>2</a></xml>",
		"<xml><a/><a/></xml>", "<xml>x<a>1</a></xml>", "<xml>&#32;</xml>", "<xml><![CDATA[ ]]></xml>", "<xml></xml>&#32;", "<xml></xml>\u00a0", "<xml><!-- --></xml>",
		"<xml><a>1<!-- -->2</a></xml>", "<xml><?a?></xml>", "<!DOCTYPE xml><xml/>", "<xml><!DOCTYPE a></xml>", "<?xml version='1.0'?><?xml version='1.0'?><xml/>",
		" <?xml version='1.0'?><xml/>", "<?xml version='1.1'?><xml/>", "<?xml encoding='utf-8'?><xml/>", "<?xml version='1.0' encoding='gbk'?><xml/>", "<?xml?><xml/>",
		"<?xml version='1.0\"?><xml/>", "<?xml version='1.0' standalone='maybe'?><xml/>", "<?xml version=\"1.0\"encoding=\"utf-8\"?><xml/>", "<?xml version='1.0' x='1'?><xml/>",
		"<xml><a>&xxe;</a></xml>", "<xml><a>& </a></xml>", "<xml><a>&#1;</a></xml>", "<xml><a>&#xd800;</a></xml>", "<xml><a>&#57343;</a></xml>", "<xml><a>&#x110000;</a></xml>",
		"<xml><a>&#X41;</a></xml>", "<xml><a>&#;</a></xml>", "<xml><a>&#+65;</a></xml>", "<xml><a>&#6_5;</a></xml>", "<xml><a>&amp</a></xml>", "<xml><a>]]></a></xml>",
		"<xml><a><![CDATA[x</a></xml>", "<xml><a>\x01</a></xml>", "<xml><a>\xe4</a></xml>", "<xml><a>\ufffe</a></xml>", "<xml><\u00e9>1</\u00e9></xml>", "<xml><1/></xml>",
		"<xml><a/ ></xml>", "<xml><-a/></xml>", "<xml>< a/></xml>", "<xml></ xml>", "<xml><a>" + strings.Repeat("x", 64<<10) + "</a></xml>",
	},
}

func TestBothReadersAgree(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, wechat.SignHMAC)
	for want, bodies := range messages {
		for _, body := range bodies {
			if client, simulator := w.clientReads(body), w.simulatorReads(body); client != want || simulator != want {
				t.Errorf("%.80q: the client reads it: %v, the simulator: %v, want %v", body, client, simulator, want)
			}
		}
	}
}

// FuzzBothReadersAgree: no message is accepted by one of them alone. Two rules differ on purpose:
// the client accepts 256 fields, and no reference to U+FFFD.
func FuzzBothReadersAgree(f *testing.F) {
	for _, bodies := range messages {
		for _, body := range bodies {
			f.Add(body)
		}
	}
	f.Fuzz(func(t *testing.T, body string) {
		if strings.Contains(strings.ToLower(body), "fffd;") || strings.Contains(body, "65533;") || len(body) > 4<<10 {
			return
		}
		w := newWorld(t, 1, wechat.SignHMAC)
		if client, simulator := w.clientReads(body), w.simulatorReads(body); client != simulator {
			t.Errorf("%q: the client reads it: %v, the simulator: %v", body, client, simulator)
		}
	})
}

// A value is the same however it is written: both accept the signature over the value.
func TestBothReadersReadTheSameValues(t *testing.T) {
	t.Parallel()
	for value, spellings := range map[string][]string{
		"a&b=c <x>": {"a&amp;b=c &lt;x&gt;", "<![CDATA[a&b=c <x>]]>", "a&#38;b=c<![CDATA[ <x]]>&#x3e;", "&#97;&#x26;b=c &#60;x>"},
		"x]]>y":     {"x]]&gt;y", "<![CDATA[x]]]]><![CDATA[>y]]>", "x]<![CDATA[]]]>>y"},
		"1\n2\n3":   {"1\r\n2\r3", "<![CDATA[1\r\n2\r3]]>", "1&#10;2&#xA;3"},
		" 茶 ":       {" 茶 ", "&#32;&#33590;&#x20;", "<![CDATA[ 茶 ]]>"},
	} {
		for _, spelling := range spellings {
			w := newWorld(t, 1, wechat.SignHMAC)
			message := func(fields []wechat.Field) string {
				fields = append(fields, wechat.Field{Name: "attach", Value: value}, wechat.Field{Name: "nonce_str", Value: "n1"},
					wechat.Field{Name: "appid", Value: wechattest.DefaultAppID}, wechat.Field{Name: "mch_id", Value: wechattest.DefaultMchID})
				fields = append(fields, wechat.Field{Name: "sign", Value: wechat.Sign(fields, wechattest.DefaultAPIKey, wechat.SignMD5)})
				var b strings.Builder
				for _, f := range fields {
					text := html.EscapeString(f.Value)
					if f.Name == "attach" {
						text = spelling
					}
					b.WriteString("<" + f.Name + ">" + text + "</" + f.Name + ">")
				}
				return "<xml>" + b.String() + "</xml>"
			}
			rec := httptest.NewRecorder()
			body := message([]wechat.Field{{Name: "out_trade_no", Value: "nobody01"}})
			w.Handler().ServeHTTP(rec, httptest.NewRequest(http.MethodPost, "/pay/orderquery", strings.NewReader(body)))
			if !strings.Contains(rec.Body.String(), "ORDERNOTEXIST") {
				t.Errorf("%q as %q: the simulator answers %s", value, spelling, rec.Body)
			}
			trade, err := w.client.ParsePayment([]byte(message([]wechat.Field{
				{Name: "return_code", Value: "SUCCESS"}, {Name: "result_code", Value: "SUCCESS"}, {Name: "out_trade_no", Value: "nobody01"},
				{Name: "transaction_id", Value: "4200001234202603011234567890"}, {Name: "total_fee", Value: "1"}, {Name: "trade_type", Value: "JSAPI"},
				{Name: "openid", Value: w.User().OpenID}, {Name: "time_end", Value: "20260301100000"},
			})))
			if err != nil || trade.Attach != value {
				t.Errorf("%q as %q: the client reads %q, %v", value, spelling, trade.Attach, err)
			}
		}
	}
}

// mutant is a client's Doer that makes a mistake in each message that it sends.
type mutant struct {
	wechat.Doer
	mistake func(fields []wechat.Field) []wechat.Field
}

func (m mutant) Do(r *http.Request) (*http.Response, error) {
	var message struct {
		Fields []struct {
			XMLName xml.Name
			Value   string `xml:",chardata"`
		} `xml:",any"`
	}
	if err := xml.NewDecoder(r.Body).Decode(&message); err != nil {
		return nil, err
	}
	var fields []wechat.Field
	for _, f := range message.Fields {
		fields = append(fields, wechat.Field{Name: f.XMLName.Local, Value: f.Value})
	}
	var b strings.Builder
	b.WriteString("<xml>")
	for _, f := range m.mistake(fields) {
		b.WriteString("<" + f.Name + ">")
		if err := xml.EscapeText(&b, []byte(f.Value)); err != nil {
			return nil, err
		}
		b.WriteString("</" + f.Name + ">")
	}
	b.WriteString("</xml>")
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(b.String())), int64(b.Len())
	return m.Doer.Do(r)
}

// The simulator declines a client whose signature has one of the mistakes below. No order is made,
// and the message log names the mistake.
func TestSimulatorDetectsAMutatedClient(t *testing.T) {
	t.Parallel()
	const key = wechattest.DefaultAPIKey
	set := func(fields []wechat.Field, name string, change func(string) string) []wechat.Field {
		for i := range fields {
			if fields[i].Name == name {
				fields[i].Value = change(fields[i].Value)
			}
		}
		return fields
	}
	signed := func(fields []wechat.Field, over []wechat.Field, key wechat.Secret, t wechat.SignType) []wechat.Field {
		sign := wechat.Sign(over, key, t)
		return set(fields, "sign", func(string) string { return sign })
	}
	all := func(fields []wechat.Field, change func(string) string) []wechat.Field {
		out := slices.Clone(fields)
		for i := range out {
			out[i].Value = change(out[i].Value)
		}
		return out
	}
	for name, c := range map[string]struct {
		note    string // the log's note
		mistake func([]wechat.Field) []wechat.Field
	}{
		"no mistake": {"", func(f []wechat.Field) []wechat.Field { return f }},
		"one fen less": {"none of the known mistakes", func(f []wechat.Field) []wechat.Field {
			return set(f, "total_fee", func(string) string { return "879" })
		}},
		"a field added": {"none of the known mistakes", func(f []wechat.Field) []wechat.Field { return append(f, wechat.Field{Name: "goods_tag", Value: "x"}) }},
		"a field dropped": {"none of the known mistakes", func(f []wechat.Field) []wechat.Field {
			return slices.DeleteFunc(f, func(f wechat.Field) bool { return f.Name == "attach" })
		}},
		"another key": {"none of the known mistakes", func(f []wechat.Field) []wechat.Field {
			return signed(f, f, "00000000000000000000000000000000", wechat.SignHMAC)
		}},
		"the AppSecret": {"appsecret", func(f []wechat.Field) []wechat.Field {
			return signed(f, f, wechattest.DefaultAppSecret, wechat.SignHMAC)
		}},
		"lower-case hex": {"lower case", func(f []wechat.Field) []wechat.Field { return set(f, "sign", strings.ToLower) }},
		"MD5":            {"made with MD5", func(f []wechat.Field) []wechat.Field { return signed(f, f, key, wechat.SignMD5) }},
		"no sign":        {"there is no sign", func(f []wechat.Field) []wechat.Field { return set(f, "sign", func(string) string { return "" }) }},
		"URL-encoded":    {"URL-encoded", func(f []wechat.Field) []wechat.Field { return signed(f, all(f, url.QueryEscape), key, wechat.SignHMAC) }},
		"escaped": {"entities", func(f []wechat.Field) []wechat.Field {
			return signed(f, all(f, html.EscapeString), key, wechat.SignHMAC)
		}},
		"nonce left out":   {"nonce_str was left out", func(f []wechat.Field) []wechat.Field { return signed(f, without(f, "nonce_str"), key, wechat.SignHMAC) }},
		"algorithm hidden": {"sign_type was left out", func(f []wechat.Field) []wechat.Field { return signed(f, without(f, "sign_type"), key, wechat.SignHMAC) }},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 1, wechat.SignHMAC)
			client, err := wechat.New(wechat.Config{
				AppID: wechattest.DefaultAppID, AppSecret: wechattest.DefaultAppSecret, MchID: wechattest.DefaultMchID, APIKey: key,
				SignType: wechat.SignHMAC, Doer: mutant{wire{w.Handler()}, c.mistake}, Now: w.Now,
			})
			if err != nil {
				t.Fatal(err)
			}
			order := w.order("mutant01")
			order.Attach, order.Detail = "a<b & c", "" // no quotes, because the two writers escape them differently
			_, err = client.UnifiedOrder(t.Context(), order)
			orders, message := w.Ledger().Orders, w.Messages(0)[0]
			if c.note == "" {
				if err != nil || len(orders) != 1 || !message.Signed.OK {
					t.Errorf("a right message: %v, %d orders, %+v", err, len(orders), message.Signed)
				}
				return
			}
			if err == nil || len(orders) != 0 || message.Signed.OK || !strings.Contains(message.Note, c.note) {
				t.Errorf("error %v, %d orders, note %q, want no order and a note about %q", err, len(orders), message.Note, c.note)
			}
		})
	}
}

func without(fields []wechat.Field, name string) []wechat.Field {
	return slices.DeleteFunc(slices.Clone(fields), func(f wechat.Field) bool { return f.Name == name })
}
