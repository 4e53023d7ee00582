// Writes what Go programs send as Protobuf bodies, beside the JSON they would send instead: for each kind some objects filled at random from a seed.
// packages/machinery reads the bodies and must get the same JSON. By hand: go run . >../../../packages/machinery/src/protobuf/gen/fixtures.json
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"log"
	"math/rand"
	"os"
	"sort"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	eventsv1 "k8s.io/api/events/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/apitesting/fuzzer"
	"k8s.io/apimachinery/pkg/api/resource"
	metafuzzer "k8s.io/apimachinery/pkg/apis/meta/fuzzer"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"sigs.k8s.io/randfill"
)

// Objects of each kind, one from each seed.
var seeds = []int64{1, 2, 3}

// Types of a group that are no bodies of requests.
var skipped = map[string]bool{"WatchEvent": true, "RangeAllocation": true, "PodStatusResult": true, "ComponentStatus": true, "SerializedReference": true, "ConversionReview": true}

type fixture struct {
	APIVersion string          `json:"apiVersion"`
	Kind       string          `json:"kind"`
	Body       []byte          `json:"body"`
	JSON       json.RawMessage `json:"json"`
}

func main() {
	scheme := runtime.NewScheme()
	groups := []func(*runtime.Scheme) error{
		corev1.AddToScheme, appsv1.AddToScheme, batchv1.AddToScheme, autoscalingv1.AddToScheme, autoscalingv2.AddToScheme, coordinationv1.AddToScheme,
		discoveryv1.AddToScheme, eventsv1.AddToScheme, rbacv1.AddToScheme, policyv1.AddToScheme, networkingv1.AddToScheme,
		authenticationv1.AddToScheme, authorizationv1.AddToScheme, apiextensionsv1.AddToScheme,
	}
	for _, add := range groups {
		if err := add(scheme); err != nil {
			log.Fatal(err)
		}
	}
	codecs := serializer.NewCodecFactory(scheme)
	encoder := protobuf.NewSerializer(scheme, scheme)
	kinds := []schema.GroupVersionKind{}
	for gvk := range scheme.AllKnownTypes() {
		named := skipped[gvk.Kind] || strings.HasSuffix(gvk.Kind, "List") || strings.HasSuffix(gvk.Kind, "Options") && gvk.Kind != "DeleteOptions"
		if gvk.Version != runtime.APIVersionInternal && !named && (gvk.Kind != "DeleteOptions" || gvk.Group == "apps") && gvk.Group != "meta.k8s.io" {
			kinds = append(kinds, gvk)
		}
	}
	sort.Slice(kinds, func(i, j int) bool { return kinds[i].String() < kinds[j].String() })
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	out.WriteString("[\n")
	first := true
	for _, gvk := range kinds {
		for _, seed := range seeds {
			fill := fuzzer.FuzzerFor(fuzzer.MergeFuzzerFuncs(metafuzzer.Funcs, ownFuncs), rand.NewSource(seed), codecs).NilChance(0.6).NumElements(1, 1).MaxDepth(14)
			object, err := scheme.New(gvk)
			if err != nil {
				log.Fatal(err)
			}
			fill.Fill(object)
			object.GetObjectKind().SetGroupVersionKind(gvk)
			var body bytes.Buffer
			if err := encoder.Encode(object, &body); err != nil {
				log.Fatalf("%s: %v", gvk, err)
			}
			// Read back first: Protobuf cannot tell nil from empty, so the JSON is that of what a Go server would have read.
			read, _, err := encoder.Decode(body.Bytes(), nil, nil)
			if err != nil {
				log.Fatalf("%s: %v", gvk, err)
			}
			read.GetObjectKind().SetGroupVersionKind(gvk)
			text, err := json.Marshal(read)
			if err != nil {
				log.Fatalf("%s: %v", gvk, err)
			}
			apiVersion, kind := gvk.ToAPIVersionAndKind()
			line, err := json.Marshal(fixture{apiVersion, kind, body.Bytes(), text})
			if err != nil {
				log.Fatal(err)
			}
			if !first {
				out.WriteString(",\n")
			}
			first = false
			out.Write(line)
		}
	}
	out.WriteString("\n]\n")
}

// Texts short and readable, so that the fixtures are; amounts in every notation; raw parts as JSON.
func ownFuncs(serializer.CodecFactory) []interface{} {
	return []interface{}{
		func(s *string, c randfill.Continue) {
			const letters = "abcäß€😀-./"
			runes := []rune(letters)
			text := ""
			for i := c.Intn(5); i > 0; i-- {
				text += string(runes[c.Intn(len(runes))])
			}
			*s = text
		},
		func(q *resource.Quantity, c randfill.Continue) {
			texts := []string{"0", "1", "100m", "0.5", "1.5Gi", "1024Mi", "1e3", "12k", "0.1n", "1500", "1000000", "-2", "3Ei"}
			*q = resource.MustParse(texts[c.Intn(len(texts))])
		},
		func(raw *runtime.RawExtension, c randfill.Continue) { raw.Raw = []byte(`{"a":[1,"b",null]}`) },
		func(value *apiextensionsv1.JSON, c randfill.Continue) { value.Raw = []byte(`{"a":[1,"b",null]}`) },
		// The schema's recursion is cut here, and its forms without a type are among what a CRD may say.
		func(schema *apiextensionsv1.JSONSchemaProps, c randfill.Continue) {
			*schema = apiextensionsv1.JSONSchemaProps{}
			c.Fill(&schema.Description)
			c.Fill(&schema.Maximum)
			c.Fill(&schema.MaxLength)
			c.Fill(&schema.Nullable)
			c.Fill(&schema.Required)
			c.Fill(&schema.XValidations)
			schema.Default = &apiextensionsv1.JSON{Raw: []byte(`{"a":1}`)}
			schema.Enum = []apiextensionsv1.JSON{{Raw: []byte(`"x"`)}, {Raw: []byte(`null`)}}
			leaf := apiextensionsv1.JSONSchemaProps{Type: "string", MaxLength: schema.MaxLength}
			schema.Properties = map[string]apiextensionsv1.JSONSchemaProps{"a": leaf}
			yes := true
			switch c.Intn(3) {
			case 0:
				schema.Type, schema.Items = "array", &apiextensionsv1.JSONSchemaPropsOrArray{Schema: &leaf}
			case 1:
				schema.Type, schema.AdditionalProperties = "object", &apiextensionsv1.JSONSchemaPropsOrBool{Allows: true, Schema: &leaf}
			default:
				schema.AdditionalProperties, schema.XPreserveUnknownFields = &apiextensionsv1.JSONSchemaPropsOrBool{Allows: c.Bool()}, &yes
			}
			schema.AnyOf = []apiextensionsv1.JSONSchemaProps{{Type: "integer"}, leaf}
			schema.Not = &apiextensionsv1.JSONSchemaProps{Pattern: "x"}
			schema.Dependencies = apiextensionsv1.JSONSchemaDependencies{"b": {Property: []string{"c"}}, "d": {Schema: &leaf}}
		},
		func(fields *metav1.FieldsV1, c randfill.Continue) { fields.Raw = []byte(`{"f:spec":{"f:a":{}}}`) },
	}
}
