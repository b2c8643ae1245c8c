package wechat

import "h5pay/wechat/apiv3"

// Secret is a text that must not be shown. Printed, logged and encoded it is "[redacted]";
// string(s) returns the text. An unexported field of a printed struct and the key of a printed map
// are not protected.
type Secret = apiv3.Secret
