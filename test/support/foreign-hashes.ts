// Hashes that other libraries made (passlib 1.7.4, argon2-cffi 25, npm argon2 0.45, Django 5, Werkzeug 3, Python's
// bcrypt 4.0), each in the spelling of its library, or in one that some libraries write.

/** All of "correct horse". */
export const foreignHashes: [made: string, algorithm: string, hash: string | Record<string, unknown>][] = [
  ["passlib bcrypt", "bcrypt", "$2b$04$gHWeN4/SylvwPsNSAyM8s.EbC4hALAnc1TepstzdNDyxS/x3n9C5W"],
  ["passlib bcrypt 2a", "bcrypt", "$2a$04$ZcwnT.xDE/5HMI1jSSBYw.2FN6qwFMhcy1cZPHkiDDWZhXoClp/gG"],
  ["passlib bcrypt 2y", "bcrypt", "$2y$04$GzKK8g/mImILvT9aj6R6sejeaol2OV6qiOQ1D4meRHwohzDa2erIu"],
  [
    "passlib scrypt",
    "scrypt",
    "$scrypt$ln=10,r=8,p=1$GYNQqhXCuJfS2rtXqjXGmA$L/R6NLREWnKiUgdX/jY+2mU/BCTiiKZMvSuwI9Z7yFQ",
  ],
  [
    "passlib pbkdf2-sha256",
    "pbkdf2-sha256",
    "$pbkdf2-sha256$1000$xdj7fy8lBCCEMGbsPacUYg$k1F8M9uxZlbXYd.N7U12bmCTW3lW51zgGCe6GLekZhI",
  ],
  [
    "passlib pbkdf2-sha512",
    "pbkdf2-sha512",
    "$pbkdf2-sha512$1000$rzVmrBXCeC8FQMjZWyul1A$6taFrspMqpjpCV6V3gNpTyv3R2TbwKMYc22e5yMY8M14TKfy7fkhA1BiOvU48I0K3hEfKBRRt9wT9qj1rokciQ",
  ],
  ["passlib pbkdf2 sha1", "pbkdf2-sha1", "$pbkdf2$1000$bC2l1Pp/jzEmxBijNGaM0Q$cIf6l6ZGGERFGeNb24tj97lDSAs"],
  [
    "passlib argon2id",
    "argon2id",
    "$argon2id$v=19$m=256,t=2,p=1$NQYgRAgBoHROyfkfYyzFGA$LuosQZAjKI/OPEBVkHx0diwsSI1kct75jItYwHXcwdk",
  ],
  [
    "passlib argon2i",
    "argon2i",
    "$argon2i$v=19$m=256,t=2,p=1$knLOGYOwlrK21hrjnJNyLg$jvyutGsG2E0CSXDhBJrdsUk01t65stnLzB9A9STTM+s",
  ],
  [
    "passlib argon2d",
    "argon2d",
    "$argon2d$v=19$m=256,t=2,p=1$MSZEqNU6pxTCGOPcmxNirA$CJTK/PctZIVrZNvrYTf9FoAeO8O+3S++jw1n8wRmTKU",
  ],
  [
    "werkzeug scrypt",
    "scrypt",
    "scrypt:1024:8:1$DN4C3chtdGSHSmd2$b6706426f2e4199a839398d2fd1d1c8b06e7a2a09ed43ba2fbc309fc993f92da4490131354e495cb7f907de1996136ab5d58652c07f922bc7dd108b418398c9c",
  ],
  [
    "werkzeug pbkdf2",
    "pbkdf2-sha256",
    "pbkdf2:sha256:1000$jw2RAM5IHPhIZPzY$f47bc5e44ce2c482db9c8a538cadb15c54dbb5d9771f7fa79022f0968d4f8c6a",
  ],
  [
    "Django pbkdf2_sha256",
    "pbkdf2-sha256",
    "pbkdf2_sha256$1000$saltsaltsaltsalt$BBs+1+PaslLtBPULUr8/lQicvVuHiEPMz0i8MjLCbzM=",
  ],
  ["Django pbkdf2_sha1", "pbkdf2-sha1", "pbkdf2_sha1$1000$saltsaltsaltsalt$EUcKisx+yviAqdTmlEPmy+5ykUU="],
  [
    "Django scrypt",
    "scrypt",
    "scrypt$1024$saltsaltsaltsalt$8$1$A9lBa6RTbfBovWqamVIqXKovIl4Vk6OZyVojLJmYmSKcTeUeY+NUusSAWsrrtKYgxHMy6+bWk1+GJd0o/FW2Bw==",
  ],
  ["Django bcrypt", "bcrypt", "bcrypt$$2b$04$4aZGKg3j9CrunPq0LLVxeOoOpS0AyRF5/WpqoljAJvMDlsmv5rKsy"],
  [
    "Django argon2",
    "argon2id",
    "argon2$argon2id$v=19$m=256,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$j2XvmacbHphFDyyA14YErzZEJ2+WXbUgRbvtE5sDtf0",
  ],
  [
    "the PHC's own text",
    "pbkdf2-sha256",
    "$pbkdf2-sha256$i=1000,l=32$xdj7fy8lBCCEMGbsPacUYg$k1F8M9uxZlbXYd+N7U12bmCTW3lW51zgGCe6GLekZhI",
  ],
  [
    "an object, argon2id",
    "argon2id",
    {
      algorithm: "argon2id",
      memoryKiB: 256,
      time: 2,
      parallelism: 1,
      salt: "nlNqrXXuvRfCuJcy5hxjLA==",
      hash: "BYQxeu7FwTuend2mWS8t+X/5ojNd212jB+y1NS9So2o=",
    },
  ],
  [
    "an object, bcrypt",
    "bcrypt",
    { algorithm: "bcrypt", hash: "$2b$04$uSmRrGyk/oXsaULeM73tEeUa3k2b2mmVp.kIcddbTVFtk6fztcGRi" },
  ],
  [
    "an object, scrypt",
    "scrypt",
    {
      algorithm: "scrypt",
      N: 1024,
      r: 8,
      p: 1,
      salt: "d875v9c65zwH4JwTAkAIAQ",
      hash: "6JSN8gH/7FpCUMhmNAx+lTcUa0NgHG8VRwtjGLQX49w",
    },
  ],
  [
    "an object, pbkdf2, hexadecimal",
    "pbkdf2-sha256",
    {
      algorithm: "pbkdf2",
      digest: "sha256",
      rounds: 1000,
      encoding: "hex",
      salt: Buffer.from("liwuzXUEol6DnrdT").toString("hex"),
      hash: "bdbf23e6cdfe0722f41e25dd260b84ca1e1386176ada3f5b993266e0e53aaf62",
    },
  ],
  [
    "npm argon2 argon2d, version 16",
    "argon2d",
    "$argon2d$v=16$m=256,p=1,t=2$VTG6+cFQSwRo0eHI7N8s1Q$e449jNnJim5BD6A3glx23xitNiHNhUcQ/MGN9rdCv/A",
  ],
  [
    "npm argon2 argon2d",
    "argon2d",
    "$argon2d$v=19$m=256,p=1,t=2$lFfm9iylx1izcUpX/KQMhg$sTVxFfNLeDYbJsmhoz100bi4yoUhKFA69u6Lc+JfAv4",
  ],
  [
    "npm argon2 argon2i, version 16",
    "argon2i",
    "$argon2i$v=16$m=256,p=1,t=2$gkmc4kwtnknmX6Gj7/sakw$v5PoDtBDvEKWqIrCyYa/iRD9oAkBiPlW4Yl9J09Bjbg",
  ],
  [
    "npm argon2 argon2i",
    "argon2i",
    "$argon2i$v=19$m=256,p=1,t=2$f+iQGQK7S306Op46TaBNZQ$RKTnDsHobtF2eWqKC0OmOC5ZEURm17E8AAgYHF6vVaM",
  ],
  [
    "npm argon2 argon2id, version 16",
    "argon2id",
    "$argon2id$v=16$m=256,p=1,t=2$cnE2TfvHAdPfOVxY47eKdQ$0k9AdmyGzhphx29eFuIJht/GksJtEqXMqJeveJC1mjE",
  ],
  [
    "npm argon2 argon2id",
    "argon2id",
    "$argon2id$v=19$m=256,p=1,t=2$T5PCG1QYdJqRn7yXzCuulg$4HNt8J8ssxNzOuT2k6GpGDGE6Thyz8J6NTqETOtWfhE",
  ],
  [
    "npm argon2 argon2i with associated data",
    "argon2i",
    "$argon2i$v=19$m=256,p=1,t=2,data=dXNlciAxNw$Iy2vMHHUIfyHL4GfIe2Ssw$mHzTfqA//p1KdxGkee7lurJWUjfWIak1GGTzKauhgkU",
  ],
  [
    "npm argon2 argon2id with associated data",
    "argon2id",
    "$argon2id$v=19$m=256,p=1,t=2,data=dXNlciAxNw$hvpQ8nrmtQ0C1/4sTLWf6A$fVGclIWPwxeUnoJCCLUV5lnPv9ZR/DvxRU6UgP8ch8U",
  ],
  [
    "argon2-cffi argon2i, version 16",
    "argon2i",
    "$argon2i$v=16$m=256,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$dTDlPuIRX1aV/aTjbh2J5gIbZtVixpYE4P4EYCd0JaY",
  ],
  [
    "argon2-cffi argon2d, version 16",
    "argon2d",
    "$argon2d$v=16$m=256,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$1KUqEIEp7iokNwx01KieYjR1Pts2YWTzwYRzN2/U0rg",
  ],
  [
    "argon2-cffi argon2id, version 16",
    "argon2id",
    "$argon2id$v=16$m=256,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$afHLp2BskBimPxOXOqKnz1zgUpN3kKuDy2mi4LN796s",
  ],
  [
    "a library that writes no version",
    "argon2i",
    "$argon2i$m=256,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$dTDlPuIRX1aV/aTjbh2J5gIbZtVixpYE4P4EYCd0JaY",
  ],
  [
    "a library that pads its base64",
    "argon2i",
    "$argon2i$v=19$t=2,m=256,p=1$c2FsdHNhbHRzYWx0c2FsdA==$7x0DEovheUe3rTI6Gdl+g8z50SqNX3QXuuWBAYjf02I=",
  ],
  [
    "Spring, with the scheme's name",
    "argon2id",
    "{argon2@SpringSecurity_v5_8}$argon2id$v=19$m=256,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$j2XvmacbHphFDyyA14YErzZEJ2+WXbUgRbvtE5sDtf0",
  ],
  ["Dovecot bcrypt", "bcrypt", "{BLF-CRYPT}$2y$04$51BVEb.oBMtgYhELoRbaFOahy1XjE1HCBZYHoRqYxVR6KrkzKgvqK"],
  ["lambdaworks scrypt", "scrypt", "$s0$a0801$MDEyMzQ1Njc4OWFiY2RlZg==$6g3umF+uVrJsObaTZhIbbTlgrvOEFcCItdwSjtPF67M="],
  ["Spring scrypt", "scrypt", "{scrypt}$a0801$MDEyMzQ1Njc4OWFiY2RlZg==$6g3umF+uVrJsObaTZhIbbTlgrvOEFcCItdwSjtPF67M="],
  [
    "a library that pads scrypt's base64",
    "scrypt",
    "$scrypt$p=1,r=8,ln=10$MDEyMzQ1Njc4OWFiY2RlZg==$6g3umF+uVrJsObaTZhIbbTlgrvOEFcCItdwSjtPF67M=",
  ],
];
