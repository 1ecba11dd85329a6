#include "common/handover/key.hpp"

#include <filesystem>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

#include <gtest/gtest.h>

// Goal: a key that is none is found before anything is signed with it, with the file's name and
// what to do.
namespace millrace::handover {
namespace {

constexpr const char* good = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n";

class KeyFile : public testing::Test {
  protected:
    void SetUp() override {
        std::string pattern = testing::TempDir() + "millrace-key-XXXXXX";
        ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
        folder_ = pattern;
        file_ = folder_ + "/handover.key";
    }
    void TearDown() override { std::filesystem::remove_all(folder_); }

    std::string fault_of(const std::string& text, mode_t mode = 0640) {
        std::ofstream(file_, std::ios::binary) << text;
        ::chmod(file_.c_str(), mode);
        const auto key = read_handover_key(file_);
        return key ? "none" : key.error().detail;
    }

    std::string folder_;
    std::string file_;
};

TEST_F(KeyFile, OneLineOfBase64Of32Bytes) {
    EXPECT_EQ(fault_of(good), "none");
    EXPECT_EQ(fault_of(good, 0600), "none");
    const auto key = read_handover_key(file_);
    ASSERT_TRUE(key);
    ASSERT_EQ(key->size(), 32U);
    for (std::size_t i = 0; i < 32; ++i) {
        EXPECT_EQ(static_cast<std::size_t>((*key)[i]), i);
    }
    EXPECT_EQ(parse_handover_key(std::string(88, 'A') + "\r\n")->size(), 66U) << "longer is fine";
}

TEST_F(KeyFile, SaysWhatIsWrongAndWhatToDo) {
    EXPECT_EQ(read_handover_key(file_).error().detail,
              file_ + " cannot be read: No such file or directory");
    EXPECT_EQ(read_handover_key(folder_).error().detail, folder_ + " is not a file");
    EXPECT_EQ(fault_of(""), file_ + " is empty: fill it with `openssl rand -base64 32`");
    EXPECT_EQ(fault_of("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg==\n"),
              file_ + " holds fewer than 32 bytes: make a new key with `openssl rand -base64 32`");
    for (const std::string& text : {std::string("secret"),
                                    std::string(good) + "more",
                                    std::string(44, '='),
                                    " " + std::string(good),
                                    std::string(43, 'A'),
                                    std::string(100'000, 'A'),
                                    std::string(44, '\0')}) {
        EXPECT_EQ(
            fault_of(text),
            file_ + " is not one line of base64: make a new key with `openssl rand -base64 32`")
            << text.substr(0, 50);
    }
}

TEST_F(KeyFile, WhatOthersMayReadOrChangeIsNoSecret) {
    for (const mode_t mode : {0644U, 0641U, 0660U, 0604U}) {
        EXPECT_EQ(fault_of(good, mode),
                  file_ + " is a secret that others may read or change: chmod 640 " + file_);
    }
}

}  // namespace
}  // namespace millrace::handover
