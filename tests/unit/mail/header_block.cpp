// Header blocks: what is a field, where it lies, where the body begins.

#include "common/mail/header_block.hpp"

#include <gtest/gtest.h>

namespace millrace::mail {
namespace {

using Kind = HeaderDefect::Kind;

std::vector<Kind> kinds(const HeaderBlock& block) {
    std::vector<Kind> out;
    for (const HeaderDefect& d : block.defects)
        out.push_back(d.kind);
    return out;
}

TEST(HeaderBlock, FieldsWithTheirExtents) {
    const std::string_view message = "From: a@b\r\nSubject: x\r\n y\r\n\r\nbody\r\n";
    const HeaderBlock block = parse_header_block(message, LineEnd::crlf);
    ASSERT_EQ(block.fields.size(), 2U);
    EXPECT_EQ(block.fields[0].name, "From");
    EXPECT_EQ(block.fields[0].value, " a@b");
    EXPECT_EQ(block.fields[1].value, " x\r\n y");
    EXPECT_EQ(block.extents[1], (Extent{11, 16}));
    EXPECT_EQ(block.fields_end, 27U);
    EXPECT_EQ(message.substr(block.body_offset), "body\r\n");
    EXPECT_TRUE(block.separator);
    EXPECT_TRUE(block.defects.empty());
}

TEST(HeaderBlock, LinesOfFilesEndWithLf) {
    const std::string_view message = "A: b\n\tc\n\nbody";
    EXPECT_EQ(detect_line_end(message), LineEnd::lf);
    const HeaderBlock block = parse_header_block(message, LineEnd::lf);
    ASSERT_EQ(block.fields.size(), 1U);
    EXPECT_EQ(unfold(block.fields[0].value), " b\tc");
    EXPECT_EQ(message.substr(block.body_offset), "body");
}

TEST(HeaderBlock, OnlyCrlfEndsALineOnTheWire) {
    const HeaderBlock block = parse_header_block("A: b\nInjected: c\r\n\r\n", LineEnd::crlf);
    ASSERT_EQ(block.fields.size(), 1U);
    EXPECT_EQ(block.fields[0].value, " b\nInjected: c");
    EXPECT_EQ(kinds(block), std::vector{Kind::bare_lf});
    const HeaderBlock cr = parse_header_block("A: b\rc\r\n\r\n", LineEnd::crlf);
    EXPECT_EQ(cr.defects, (std::vector<HeaderDefect>{{Kind::bare_cr, 4}}));
}

TEST(HeaderBlock, ALineThatIsNoFieldBeginsTheBody) {
    const std::string_view message = "A: b\nnonsense\nC: d\n\nbody";
    const HeaderBlock block = parse_header_block(message, LineEnd::lf);
    EXPECT_EQ(block.fields.size(), 1U);
    EXPECT_FALSE(block.separator);
    EXPECT_EQ(block.body_offset, 5U);
    EXPECT_EQ(kinds(block), std::vector{Kind::no_colon});
    EXPECT_EQ(kinds(parse_header_block(" fold\n\n", LineEnd::lf)), std::vector{Kind::stray_fold});
    EXPECT_EQ(kinds(parse_header_block("\xC3\xA9: x\n\n", LineEnd::lf)),
              std::vector{Kind::name_8bit});
}

TEST(HeaderBlock, OddButReadable) {
    const HeaderBlock obsolete = parse_header_block("Subject : x\n\n", LineEnd::lf);
    EXPECT_EQ(obsolete.fields.at(0).name, "Subject");
    const HeaderBlock mbox =
        parse_header_block("From a@b Thu Jan  1 00:00:00 1970\nTo: x\n\n", LineEnd::lf);
    EXPECT_EQ(mbox.fields.at(0).name, "To");
    EXPECT_EQ(kinds(mbox), std::vector{Kind::mbox_line});
    const HeaderBlock open = parse_header_block("A: b", LineEnd::lf);
    EXPECT_EQ(open.fields.at(0).value, " b");
    EXPECT_EQ(kinds(open), std::vector{Kind::no_separator});
    EXPECT_EQ(parse_header_block("\nbody", LineEnd::lf).body_offset, 1U);
}

TEST(HeaderBlock, NamesInAnyCase) {
    const std::vector<HeaderField> fields = {{"subject", " a"}, {"SUBJECT", " b"}, {"To", " c"}};
    EXPECT_EQ(find_field(fields, "Subject"), &fields[0]);
    EXPECT_EQ(count_fields(fields, "Subject"), 2U);
    EXPECT_EQ(find_field(fields, "Cc"), nullptr);
}

}  // namespace
}  // namespace millrace::mail
