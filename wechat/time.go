package wechat

import "time"

// beijing is the zone of all of WeChat's times. WebAssembly has no time zone
// data.
var beijing = time.FixedZone("CST", 8*60*60)

// dateTime is how refunds and bills write a time.
const dateTime = "2006-01-02 15:04:05"

// parseDateTime reads a dateTime of Beijing. time.Parse alone would take a
// fraction of a second and hours of one digit too.
func parseDateTime(s string) (time.Time, bool) {
	if len(s) != len(dateTime) {
		return time.Time{}, false
	}
	t, err := time.ParseInLocation(dateTime, s, beijing)
	return t.UTC(), err == nil && t.Format(dateTime) == s
}

// parseTime reads 14 digits of Beijing time. time.Parse alone would take a
// fraction of a second too.
func parseTime(s string) (time.Time, bool) {
	if len(s) != len(timeFormat) || !digits(s) {
		return time.Time{}, false
	}
	t, err := time.ParseInLocation(timeFormat, s, beijing)
	return t.UTC(), err == nil
}

func formatTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(beijing).Format(timeFormat)
}
