
package com.example.treble.events;

import java.util.List;
import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import com.fasterxml.jackson.annotation.JsonPropertyOrder;


/**
 * Contact
 * <p>
 * The person. Absent where the body names none; parts that it does not have are absent.
 * 
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
@JsonPropertyOrder({
    "phone",
    "country_code",
    "national_number",
    "phone_variants",
    "bsuid",
    "parent_bsuid",
    "username"
})
public class Contact {

    /**
     * E.164, with the plus. Where the configuration hides it: a keyed hash, or masked.
     * 
     */
    @JsonProperty("phone")
    @JsonPropertyDescription("E.164, with the plus. Where the configuration hides it: a keyed hash, or masked.")
    private String phone;
    /**
     * Digits, without a plus.
     * 
     */
    @JsonProperty("country_code")
    @JsonPropertyDescription("Digits, without a plus.")
    private String countryCode;
    /**
     * cellphone as sent, digits only: with the country code in front where it came so.
     * 
     */
    @JsonProperty("national_number")
    @JsonPropertyDescription("cellphone as sent, digits only: with the country code in front where it came so.")
    private String nationalNumber;
    /**
     * Other spellings of the phone, to match with: Mexico's 1, Argentina's and Brazil's 9.
     * 
     */
    @JsonProperty("phone_variants")
    @JsonPropertyDescription("Other spellings of the phone, to match with: Mexico's 1, Argentina's and Brazil's 9.")
    private List<String> phoneVariants;
    /**
     * WhatsApp's id of the person, which this business has alone (BSUID). Where the configuration hides it: a keyed hash, or masked.
     * 
     */
    @JsonProperty("bsuid")
    @JsonPropertyDescription("WhatsApp's id of the person, which this business has alone (BSUID). Where the configuration hides it: a keyed hash, or masked.")
    private String bsuid;
    /**
     * The same for all businesses of a parent. Where the configuration hides it: a keyed hash, or masked.
     * 
     */
    @JsonProperty("parent_bsuid")
    @JsonPropertyDescription("The same for all businesses of a parent. Where the configuration hides it: a keyed hash, or masked.")
    private String parentBsuid;
    /**
     * The name that the person chose at WhatsApp. Where the configuration hides it: a keyed hash, or masked.
     * 
     */
    @JsonProperty("username")
    @JsonPropertyDescription("The name that the person chose at WhatsApp. Where the configuration hides it: a keyed hash, or masked.")
    private String username;

    /**
     * E.164, with the plus. Where the configuration hides it: a keyed hash, or masked.
     * 
     */
    @JsonProperty("phone")
    public String getPhone() {
        return phone;
    }

    /**
     * Digits, without a plus.
     * 
     */
    @JsonProperty("country_code")
    public String getCountryCode() {
        return countryCode;
    }

    /**
     * cellphone as sent, digits only: with the country code in front where it came so.
     * 
     */
    @JsonProperty("national_number")
    public String getNationalNumber() {
        return nationalNumber;
    }

    /**
     * Other spellings of the phone, to match with: Mexico's 1, Argentina's and Brazil's 9.
     * 
     */
    @JsonProperty("phone_variants")
    public List<String> getPhoneVariants() {
        return phoneVariants;
    }

    /**
     * WhatsApp's id of the person, which this business has alone (BSUID). Where the configuration hides it: a keyed hash, or masked.
     * 
     */
    @JsonProperty("bsuid")
    public String getBsuid() {
        return bsuid;
    }

    /**
     * The same for all businesses of a parent. Where the configuration hides it: a keyed hash, or masked.
     * 
     */
    @JsonProperty("parent_bsuid")
    public String getParentBsuid() {
        return parentBsuid;
    }

    /**
     * The name that the person chose at WhatsApp. Where the configuration hides it: a keyed hash, or masked.
     * 
     */
    @JsonProperty("username")
    public String getUsername() {
        return username;
    }

}
