package v1

// CheckQuery says which checks to run.
type CheckQuery struct {
	// Network adds the checks that call WeChat, the webhook endpoints and, on a server of your
	// own, the public address of the shop. A Worker cannot call its own address. No payment is
	// made. A shop runs them once in ten seconds; an earlier call gets the code "rate_limited".
	Network bool `query:"network"`
}

// Checks are the results of the doctor.
type Checks struct {
	OK        bool          `json:"ok"`         // no check has failed
	Network   bool          `json:"network"`    // whether the checks with calls ran too
	CheckedAt int64         `json:"checked_at"` // Unix ms
	TookMS    int64         `json:"took_ms"`
	Checks    []CheckResult `json:"checks"`
	// Probe is a request with which a program on another machine tests the notify URL. Only
	// with Network.
	Probe *Probe `json:"probe,omitempty"`
}

// CheckResult is the result of one check. A check that finds several causes is in the list once for
// each.
type CheckResult struct {
	ID     string      `json:"id"` // "settings", "sign_in", "notify_url", ...
	Status CheckStatus `json:"status"`
	// Cause is the ID of the fault in docs/doctor.md. A check that is ok or skipped has none.
	Cause   string `json:"cause,omitempty"`
	Setting string `json:"setting,omitempty"` // the setting to correct, if there is one
	// Detail describes what the check found, in English. It may name a setting, but never has
	// its value.
	Detail string `json:"detail,omitempty"`
	TookMS int64  `json:"took_ms,omitempty"`
	// ZH and EN explain the cause.
	ZH *CauseText `json:"zh,omitempty"`
	EN *CauseText `json:"en,omitempty"`
}

// CheckStatus is the result of a check.
type CheckStatus string

// The statuses.
const (
	CheckOK      CheckStatus = "ok"
	CheckWarn    CheckStatus = "warn"    // payments work, but the operator should look at it
	CheckFail    CheckStatus = "fail"    // something does not work
	CheckSkipped CheckStatus = "skipped" // not run; Detail says why
)

// CauseText explains a cause in one language.
type CauseText struct {
	Problem string `json:"problem"` // what is wrong
	Effect  string `json:"effect"`  // why it matters
	Repair  string `json:"repair"`  // what to do
	// Menu is the way through the menus of a platform, "商户平台 > 账户中心 > API安全".
	Menu string `json:"menu,omitempty"`
}

// Probe is a test request to the notify URL that the shop recognises. It expires after five
// minutes.
type Probe struct {
	URL   string `json:"url"`
	Token string `json:"token"`
}
