// Judge pods by Kubernetes' own Pod Security evaluator.
//
// Standard input: a JSON array of {"level", "metadata", "spec"}. Standard output: for each of them the
// reasons for which the level, at its latest version, forbids the pod; an empty array where it admits it.
package main

import (
	"encoding/json"
	"log"
	"os"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

type pod struct {
	Level    api.Level         `json:"level"`
	Metadata metav1.ObjectMeta `json:"metadata"`
	Spec     corev1.PodSpec    `json:"spec"`
}

func main() {
	log.SetFlags(0)
	var pods []pod
	if err := json.NewDecoder(os.Stdin).Decode(&pods); err != nil {
		log.Fatal(err)
	}
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		log.Fatal(err)
	}
	verdicts := [][]string{}
	for _, each := range pods {
		level := api.LevelVersion{Level: each.Level, Version: api.LatestVersion()}
		reasons := []string{}
		for _, result := range evaluator.EvaluatePod(level, &each.Metadata, &each.Spec) {
			if !result.Allowed {
				reasons = append(reasons, result.ForbiddenReason)
			}
		}
		verdicts = append(verdicts, reasons)
	}
	if err := json.NewEncoder(os.Stdout).Encode(verdicts); err != nil {
		log.Fatal(err)
	}
}
