package wechattest

// v3Diagnosis says why the signature of a request is wrong.
type v3Diagnosis struct {
	text  string
	yours string // the text that was signed, "" when it is not known
}

func diagnoseV3(p v3Parts, signature string, key *v3Key, keys []v3Key, apiKey string) v3Diagnosis {
	return v3Diagnosis{text: "the signature is wrong"}
}

func diagnoseV3PaySign(lines []string, signature string, key *v3Key) v3Diagnosis {
	return v3Diagnosis{text: "paySign is wrong"}
}
