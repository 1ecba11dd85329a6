#pragma once

#include <string>

namespace millrace::contract {

/// A self-signed certificate with its key in one PEM file, gone with this object.
class TestCertificate {
  public:
    explicit TestCertificate(const std::string& name);
    ~TestCertificate();
    TestCertificate(const TestCertificate&) = delete;
    const std::string& file() const { return file_; }

  private:
    std::string file_;
};

}  // namespace millrace::contract
