/* SPDX-License-Identifier: Apache-2.0 */
/* Names and texts of result codes, and the version that is running. */
#include <selsnap/error.h>
#include <stddef.h>

struct error_text {
    const char *name;
    const char *text;
};

/* By the negative of the code. */
static const struct error_text error_texts[] = {
    [-SELSNAP_OK] = {"SELSNAP_OK", "success"},
    [-SELSNAP_EINVAL] = {"SELSNAP_EINVAL", "an argument is wrong"},
    [-SELSNAP_ENOMEM] = {"SELSNAP_ENOMEM", "no memory"},
    [-SELSNAP_ERANGE] = {"SELSNAP_ERANGE", "outside the device, or a size that does not fit"},
    [-SELSNAP_EALIGN] = {"SELSNAP_EALIGN", "not aligned as the device requires"},
    [-SELSNAP_EIO] = {"SELSNAP_EIO", "the device failed"},
    [-SELSNAP_ESTORE] = {"SELSNAP_ESTORE", "the store failed"},
    [-SELSNAP_ENOSPACE] = {"SELSNAP_ENOSPACE", "the store has no room"},
    [-SELSNAP_ENOENT] = {"SELSNAP_ENOENT", "no such thing"},
    [-SELSNAP_EEXIST] = {"SELSNAP_EEXIST", "it exists already"},
    [-SELSNAP_EBUSY] = {"SELSNAP_EBUSY", "in use"},
    [-SELSNAP_EHELD] = {"SELSNAP_EHELD", "the snapshot is held"},
    [-SELSNAP_ELOCKED] = {"SELSNAP_ELOCKED", "another process or context has the device open"},
    [-SELSNAP_EREADONLY] = {"SELSNAP_EREADONLY", "read-only"},
    [-SELSNAP_ENOTSTORE] = {"SELSNAP_ENOTSTORE", "the device holds no store"},
    [-SELSNAP_EVERSION] = {"SELSNAP_EVERSION", "the store uses features that this version does not know"},
    [-SELSNAP_EDAMAGED] = {"SELSNAP_EDAMAGED", "metadata or preserved data failed its check"},
    [-SELSNAP_ELOST] = {"SELSNAP_ELOST", "the block was given up"},
    [-SELSNAP_EUNDESIGNATED] = {"SELSNAP_EUNDESIGNATED", "the snapshot does not designate the block"},
    [-SELSNAP_EORIGIN] = {"SELSNAP_EORIGIN", "the store belongs to another origin"},
    [-SELSNAP_ECHANGED] = {"SELSNAP_ECHANGED", "the origin was changed outside the library"},
    [-SELSNAP_EOVERLAP] = {"SELSNAP_EOVERLAP", "store and origin are, or may be, the same storage"},
    [-SELSNAP_EMEMLIMIT] = {"SELSNAP_EMEMLIMIT", "it would not fit under the memory limit"},
    [-SELSNAP_ELIMIT] = {"SELSNAP_ELIMIT", "a documented limit is passed"},
    [-SELSNAP_ENOTSUP] = {"SELSNAP_ENOTSUP", "the device, or this build of libselsnap, cannot do this"},
    [-SELSNAP_ECANCELED] = {"SELSNAP_ECANCELED", "stopped as the callback asked"},
    [-SELSNAP_EABANDONED] = {"SELSNAP_EABANDONED", "the store was abandoned"},
    [-SELSNAP_ETOOSMALL] = {"SELSNAP_ETOOSMALL", "the store device is too small"},
    [-SELSNAP_ENODATA] = {"SELSNAP_ENODATA", "a bookmark keeps no data"},
    [-SELSNAP_EBASE] = {"SELSNAP_EBASE", "the increment does not fit its base"},
    [-SELSNAP_ESTREAM] = {"SELSNAP_ESTREAM", "the stream is damaged, cut, or of a kind not known"},
    [-SELSNAP_EQUOTA] = {"SELSNAP_EQUOTA", "the snapshot's quota leaves no room"},
};

static const struct error_text *find(int code) {
    const int known = (int)(sizeof error_texts / sizeof error_texts[0]);
    return code <= 0 && code > -known && error_texts[-code].name != NULL ? &error_texts[-code] : NULL;
}

const char *selsnap_strerror(int code) {
    const struct error_text *found = find(code);
    return found != NULL ? found->text : "unknown result code";
}

const char *selsnap_error_name(int code) {
    const struct error_text *found = find(code);
    return found != NULL ? found->name : "SELSNAP_E?";
}

uint32_t selsnap_version(void) {
    return SELSNAP_VERSION_MAJOR * UINT32_C(1000000) + SELSNAP_VERSION_MINOR * UINT32_C(1000) + SELSNAP_VERSION_PATCH;
}

const char *selsnap_version_string(void) {
    return SELSNAP_VERSION_STRING;
}
