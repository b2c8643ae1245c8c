package payment

import "h5pay/internal/api"

func errNoOrder() error { return reject(api.CodeNotFound, "no such order") }

func errNotPayable() error {
	return reject(api.CodeOrderNotPayable, "the order is closed or too old")
}

func errPaidThere() error {
	return reject(api.CodeWeChatBusy, "WeChat reports the order as paid, try again")
}

// errNoResponse is the error of a call that depends on WeChat's response.
func errNoResponse() error {
	return reject(api.CodeWeChatBusy, "WeChat did not respond, try again")
}

// errDiffers is the error of a call during which WeChat reported something else than the order.
func errDiffers() error {
	return reject(api.CodeWeChatDeclined, "WeChat's report of the order differs from the order")
}

// errBusy makes a caller retry in a second. No request waits for another one.
func errBusy() error {
	return reject(api.CodeBusy, "another request about the order is running, repeat this one in a second")
}
