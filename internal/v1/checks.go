package v1

// CheckQuery says which checks to run.
type CheckQuery struct {
	// Network adds the checks that call WeChat, the public address of the shop and the webhook
	// endpoints. No payment is made. A shop runs them once in ten seconds: code "rate_limited"
	// says that they ran just now.
	Network bool `query:"network"`
}

// Checks are the results of the doctor.
type Checks struct {
	OK        bool          `json:"ok"`         // no check has failed
	Network   bool          `json:"network"`    // whether the checks with calls ran too
	CheckedAt int64         `json:"checked_at"` // Unix ms
	TookMS    int64         `json:"took_ms"`
	Checks    []CheckResult `json:"checks"`
	// Probe is how a program on another machine tests the way to the notify URL. Only with
	// Network.
	Probe *Probe `json:"probe,omitempty"`
}

// CheckResult is the result of one check. A check that finds several causes is in the list once for
// each.
type CheckResult struct {
	ID     string      `json:"id"` // "settings", "sign_in", "notify_url", ...
	Status CheckStatus `json:"status"`
	// Cause names what is wrong, by an ID of docs/doctor.md. A check that is ok or skipped has none.
	Cause   string `json:"cause,omitempty"`
	Setting string `json:"setting,omitempty"` // the setting that is wrong, if it is one
	// Detail describes what was seen, in English. It may name a setting, and never its value.
	Detail string `json:"detail,omitempty"`
	TookMS int64  `json:"took_ms,omitempty"`
	// ZH and EN explain the cause.
	ZH *CauseText `json:"zh,omitempty"`
	EN *CauseText `json:"en,omitempty"`
}

// CheckStatus is how a check ended.
type CheckStatus string

// The statuses.
const (
	CheckOK      CheckStatus = "ok"
	CheckWarn    CheckStatus = "warn"    // payments work, and somebody should look at it
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

// Probe is a request that the shop recognises at its notify URL. It expires after five minutes.
type Probe struct {
	URL   string `json:"url"`
	Token string `json:"token"`
}
