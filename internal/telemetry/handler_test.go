package telemetry

import "testing"

func TestVerdict(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		status int
		body   string
		want   string
	}{
		{204, "", verdictAcknowledged},
		{200, "<return_code><![CDATA[SUCCESS]]></return_code>", verdictAcknowledged},
		{200, "<return_code><![CDATA[FAIL]]></return_code><return_msg>total_fee", verdictMismatch},
		{200, "<return_code><![CDATA[FAIL]]></return_code><return_msg>try again", verdictRetry},
		{200, "<return_code><![CDATA[FAIL]]></return_code><return_msg>not a valid notification", verdictRejected},
		{400, `{"code":"FAIL","message":"not a valid notification"}`, verdictRejected},
		{400, `{"code":"FAIL","message":"total_fee"}`, verdictMismatch},
		{413, `{"code":"FAIL","message":"body"}`, verdictRejected},
		{503, `{"code":"FAIL","message":"try again"}`, verdictRetry},
		{500, `{"code":"FAIL","message":"try again"}`, verdictFailed},
	} {
		if got := verdict(test.status, []byte(test.body)); got != test.want {
			t.Errorf("%d %s: %s, want %s", test.status, test.body, got, test.want)
		}
	}
}
