#include "tests/contract/certificate.hpp"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "common/base/check.hpp"

namespace millrace::contract {

TestCertificate::TestCertificate(const std::string& name) {
    const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_EC_gen("P-256"),
                                                                  &EVP_PKEY_free);
    const std::unique_ptr<X509, decltype(&X509_free)> certificate(X509_new(), &X509_free);
    X509* const x = certificate.get();
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_set_pubkey(x, key.get());
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x),
                               "CN",
                               MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(name.c_str()),
                               -1,
                               -1,
                               0);
    X509_set_issuer_name(x, X509_get_subject_name(x));
    const std::string alternative = "DNS:" + name;
    X509_EXTENSION* const extension =
        X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, alternative.c_str());
    X509_add_ext(x, extension, -1);
    X509_EXTENSION_free(extension);
    MILLRACE_CHECK(X509_sign(x, key.get(), EVP_sha256()) > 0);

    std::string pattern = (std::filesystem::temp_directory_path() / "millrace-XXXXXX").string();
    const int fd = ::mkstemp(pattern.data());
    MILLRACE_CHECK(fd >= 0);
    file_ = pattern;
    FILE* const file = ::fdopen(fd, "w");
    PEM_write_PrivateKey(file, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
    PEM_write_X509(file, x);
    std::fclose(file);
}

TestCertificate::~TestCertificate() {
    ::unlink(file_.c_str());
}

}  // namespace millrace::contract
